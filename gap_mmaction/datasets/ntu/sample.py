"""From the text of a recording to an annotation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from gap_mmaction.datasets.ntu.actors import (
    Actors,
    drop_missing_frames,
    place_clean,
    place_reference,
    place_single,
)
from gap_mmaction.datasets.ntu.body import Body
from gap_mmaction.datasets.ntu.denoising import MAX_GHOST_LENGTH, rank_bodies
from gap_mmaction.datasets.ntu.raw_sequence import RawSequence
from gap_mmaction.datasets.ntu.sample_name import SampleName
from gap_mmaction.datasets.ntu.skeleton_file import parse_skeleton
from gap_mmaction.datasets.ntu.translation import translate
from gap_mmaction.datasets.ntu.unusable_sample import UnusableSampleError

PROTOCOLS = ("reference", "clean")
"""``clean`` mends rules 2 and 6 here, and rule 9 in ``finish_annotation``."""

_FARTHEST = 20.0  # metres; the camera sees about 8
_RULE_2 = "rule 2: frames of a body that leaves and comes back stay where they are"
_RULE_6 = "rule 6: bodies are dealt out to the actors by the frames they have"


@dataclass
class Sample:
    """What became of one recording.

    Attributes:
        name: Its name.
        annotation: ``frame_dir``, ``label``, ``total_frames`` and ``keypoint``, float32
            ``[M, T, 25, 3]`` with M = 1 or 2, metres; None if it cannot be used.
        notes: Pairs of kind (``dropped``, ``suspicious``, ``changed``) and reason.
    """

    name: str
    annotation: dict[str, Any] | None = None
    notes: list[tuple[str, str]] = field(default_factory=list)


def convert_skeleton(
    data: bytes, name: str, protocol: str = "reference", where: str = ""
) -> Sample:
    """Run the whole chain on one file.

    Args:
        data: The content of the ``.skeleton`` file.
        name: Its name without the suffix.
        protocol: ``"reference"`` (as CTR-GCN, to the letter) or ``"clean"``.
        where: What error messages call it, its name by default.

    Returns:
        The annotation, or why there is none, and what is suspicious about it.

    Raises:
        ValueError: If the name, the content or the protocol is not valid.
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
    num_persons = moved.shape[1] // 75
    keypoint = moved.reshape(len(moved), num_persons, 25, 3).transpose(1, 0, 2, 3)
    sample.annotation = {
        "frame_dir": name,
        "label": parts.label,
        "total_frames": len(moved),
        "keypoint": np.ascontiguousarray(keypoint),
    }
    sample.notes += [("changed", change) for change in changes]
    sample.notes += [
        ("suspicious", reason) for reason in _find_suspicious(sequence, actors, parts)
    ]
    return sample


def select_actors(sequence: RawSequence, protocol: str) -> tuple[Actors, list[str]]:
    """Choose one or two actors (rules 2 to 7), still where the camera saw them.

    Args:
        sequence: The recording.
        protocol: ``"reference"`` or ``"clean"``.

    Returns:
        The actors, and what ``clean`` did otherwise than ``reference``.

    Raises:
        UnusableSampleError: If nobody is there, or nobody for long enough.
    """
    bodies, num_frames = sequence.bodies, sequence.num_frames
    if not bodies:
        raise UnusableSampleError("no frame has a body")
    changes = []
    if protocol == "clean" and any(body.is_doubled for body in bodies):
        bodies = [body.without_doubles() for body in bodies]
        changes.append("a body that is twice in a frame counts once")
    if len(bodies) == 1:
        return place_single(bodies[0], num_frames), changes
    ranked = rank_bodies(bodies)
    if len(ranked) == 1:
        actors = place_single(ranked[0], num_frames)
    elif protocol == "reference":
        actors = place_reference(ranked, num_frames)
    else:
        actors = place_clean(ranked, num_frames)
        changes += _compare(actors, ranked, num_frames)
    return Actors(drop_missing_frames(actors.joints), actors.left_out), changes


def _compare(clean: Actors, bodies: Sequence[Body], num_frames: int) -> list[str]:
    """Find out which of the mends changed the result."""
    closed = [body.closed_up() for body in bodies]
    only_rule_6 = place_clean(closed, num_frames).joints
    changes = []
    if not np.array_equal(clean.joints, only_rule_6):
        changes.append(_RULE_2)
    if not np.array_equal(only_rule_6, place_reference(closed, num_frames).joints):
        changes.append(_RULE_6)
    return changes


def _find_suspicious(
    sequence: RawSequence, actors: Actors, parts: SampleName
) -> list[str]:
    found = []
    joints = actors.joints
    has_second = joints.shape[1] > 75 and bool(joints[:, 75:].any())
    if parts.is_two_person and not has_second:
        found.append("an action of two persons, one actor found")
    if has_second and not parts.is_two_person:
        found.append("an action of one person, two actors found")
    if len(joints) <= MAX_GHOST_LENGTH:
        found.append(f"{MAX_GHOST_LENGTH} frames or fewer")
    if sequence.num_empty_frames:
        found.append("frames without a body, removed")
    if any(body.has_gap for body in sequence.bodies) and len(sequence.bodies) > 1:
        found.append("a body leaves and comes back")
    if any(body.is_doubled for body in sequence.bodies):
        found.append("a body is twice in a frame")
    if actors.left_out:
        found.append("a further body, left out")
    if _is_zero_somewhere(joints):
        found.append("frames with all coordinates zero")
    if float(np.abs(joints).max()) > _FARTHEST:
        found.append(f"joints more than {_FARTHEST:g} m away")
    if sequence.num_extra_lines:
        found.append("text after the last frame, not read")
    return found


def _is_zero_somewhere(joints: npt.NDArray[np.float32]) -> bool:
    return not joints.any(axis=1).all()
