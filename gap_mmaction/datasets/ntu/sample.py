"""From the text of a recording to an annotation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gap_mmaction.datasets.ntu.denoising import (
    MAX_GHOST_LENGTH,
    Actors,
    UnusableSampleError,
    select_actors,
    translate,
)
from gap_mmaction.datasets.ntu.skeleton_file import RawSequence, parse_skeleton
from gap_mmaction.datasets.ntu.splits import SampleName

PROTOCOLS = ("reference", "clean")
"""``clean`` does without quirks in rules 2, 6 and 9 of the reference."""
RULE_9 = "rule 9: a single actor is not copied into the place of the second"

_FARTHEST = 20.0  # metres; the camera sees about 8


@dataclass
class Sample:
    """What became of one recording.

    ``annotation`` has ``frame_dir``, ``label``, ``total_frames`` and ``keypoint``,
    float32 ``[M, T, 25, 3]`` with M = 1 or 2, metres; None if it cannot be used.
    ``notes`` are pairs of kind (``dropped``, ``suspicious``, ``changed``) and reason.
    """

    name: str
    annotation: dict[str, Any] | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)


def convert_skeleton(
    data: bytes, name: str, protocol: str = "reference", where: str = ""
) -> Sample:
    """Runs the whole chain on the content of one file.

    ``name`` is the file's without the suffix, ``where`` what error messages call it, by
    default the name; ``protocol`` is one of ``PROTOCOLS``.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol={protocol!r}: not one of {', '.join(PROTOCOLS)}")
    parts = SampleName.parse(name, where)
    sequence = parse_skeleton(data, where or name)
    sample = Sample(name)
    try:
        actors, changes = select_actors(sequence, protocol)
        moved = translate(actors.joints)
    except UnusableSampleError as error:
        sample.notes.append(("dropped", str(error)))
        return sample
    keypoint = moved.reshape(len(moved), -1, 25, 3).transpose(1, 0, 2, 3)
    sample.annotation = {
        "frame_dir": name,
        "label": parts.label,
        "total_frames": len(moved),
        "keypoint": np.ascontiguousarray(keypoint),
    }
    suspicious = _find_suspicious(sequence, actors, parts)
    sample.notes += [("changed", change) for change in changes]
    sample.notes += [("suspicious", reason) for reason in suspicious]
    return sample


def lacks_second_actor(annotation: dict[str, Any], dataset: str) -> bool:
    """Returns whether rule 9 is about a sample: one of NTU-120 with a single actor."""
    return dataset == "ntu120" and len(annotation["keypoint"]) == 1


def finish_annotation(
    annotation: dict[str, Any], dataset: str, protocol: str
) -> dict[str, Any]:
    """Applies rule 9 of the reference: a single actor of NTU-120 gets a copy."""
    if protocol != "reference" or not lacks_second_actor(annotation, dataset):
        return annotation
    return {**annotation, "keypoint": np.repeat(annotation["keypoint"], 2, axis=0)}


def _find_suspicious(
    sequence: RawSequence, actors: Actors, parts: SampleName
) -> list[str]:
    joints = actors.joints
    has_second = joints.shape[1] > 75 and bool(joints[:, 75:].any())
    has_gap = any(np.ptp(body.frames) >= len(body.frames) for body in sequence.bodies)
    is_doubled = any(body.is_doubled for body in sequence.bodies)
    checks = {
        "an action of two persons, one actor found": parts.is_two_person > has_second,
        "an action of one person, two actors found": has_second > parts.is_two_person,
        f"{MAX_GHOST_LENGTH} frames or fewer": len(joints) <= MAX_GHOST_LENGTH,
        "frames without a body, removed": sequence.num_empty_frames,
        "a body leaves and comes back": has_gap and len(sequence.bodies) > 1,
        "a body is twice in a frame": is_doubled,
        "a further body, left out": actors.left_out,
        "frames with all coordinates zero": not joints.any(axis=1).all(),
        f"joints more than {_FARTHEST:g} m away": np.abs(joints).max() > _FARTHEST,
        "text after the last frame, not read": sequence.num_extra_lines,
    }
    return [reason for reason, is_so in checks.items() if is_so]
