"""Results of OpenPose: a folder with a ``*_keypoints.json`` for each frame.

OpenPose's doc/02_output.md: x, y in pixels (unless ``--keypoint_scale`` says otherwise)
and the confidence, all of them 0 where a joint was not found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gap_mmaction.utils.files import parse_json

from .poses import Person, Poses, expecting, make_poses, numbers_of

_LAYOUTS = {18 * 3: "openpose18", 25 * 3: "openpose25"}


def read_openpose(folder: Path, name: str) -> Poses:
    """Reads the files by their frame numbers: ``openpose18`` or ``openpose25``.

    Raises:
        ValueError: If a file is broken, its joints are of another model, or nobody was
            found at all.
    """
    numbers = numbers_of((path.name for path in folder.glob("*_keypoints.json")), name)
    frames: list[list[Person]] = []
    sizes = set()
    for file in sorted(numbers, key=numbers.__getitem__):
        with expecting("a frame written by OpenPose", str(folder / file)):
            persons = parse_json((folder / file).read_bytes())["people"]
            frames.append([_read_person(person) for person in persons])
        sizes |= {joints.size for joints, _ in frames[-1]}
    if not sizes:
        raise ValueError(f"{name}: nobody is in any of the {len(frames)} frames")
    if len(sizes) > 1 or not sizes <= set(_LAYOUTS):
        raise ValueError(
            f"{name}: persons have {sorted(size // 3 for size in sizes)} joints; run "
            "OpenPose with --model_pose BODY_25 or COCO"
        )
    return make_poses(_LAYOUTS[sizes.pop()], frames)


def _read_person(person: dict) -> Person:
    joints = np.array(person["pose_keypoints_2d"], dtype=np.float64).reshape(-1, 3)
    return joints, int(np.ravel(person.get("person_id", -1))[0])
