"""Results of AlphaPose: one json for a recording.

AlphaPose's docs/output.md: a list over persons with ``image_id``, ``keypoints`` (x, y,
in pixels, and confidence), ``score`` and, of ``--pose_track``, ``idx``; with ``--format
cmu`` or ``open`` a dict over frames, in OpenPose's 18 joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .poses import Person, Poses, expecting, get, make_poses, numbers_of, span

_LAYOUTS = {17 * 3: "coco", 18 * 3: "openpose18", 26 * 3: "halpe26"}


def read_alphapose(content: Sequence[Any] | Mapping[str, Any], name: str) -> Poses:
    """Reads the content of the file: ``coco``, ``halpe26`` or ``openpose18``.

    A frame is the number in ``image_id`` (``"12.jpg"``), from 0; those that are not in
    the file are empty.

    Raises:
        ValueError: If it is broken, or the joints are of another model.
    """
    if isinstance(content, Mapping):
        content = [
            {
                "image_id": image,
                "keypoints": get(person, "joints") or get(person, "pose_keypoints_2d"),
            }
            for image, frame in content.items()
            for person in get(frame, "bodies") or get(frame, "people") or ()
        ]
    found: dict[str, list[Person]] = {}
    for index, person in enumerate(content):
        with expecting("written by AlphaPose", f"{name}: person {index}"):
            joints = np.array(person["keypoints"], dtype=np.float64).reshape(-1, 3)
            track = int(np.ravel(person.get("idx", -1))[0])
            found.setdefault(str(person["image_id"]), []).append((joints, track))
    sizes = {joints.size for persons in found.values() for joints, _ in persons}
    if len(sizes) != 1 or not sizes <= set(_LAYOUTS):
        raise ValueError(
            f"{name}: persons have {sorted(size // 3 for size in sizes)} joints; run "
            "AlphaPose with a model of 17 (COCO) or 26 joints (Halpe), or, of Halpe's "
            "136, keep the first 26 of each person"
        )
    frames = {number: found[image] for image, number in numbers_of(found, name).items()}
    every = span(frames, first=0, where=name)
    return make_poses(_LAYOUTS[sizes.pop()], [frames.get(i, []) for i in every])
