"""JHMDB: the 2D puppet joints of 14 actions, ``GT_{train,test}_{1,2,3}.pkl``.

Jhuang et al., "Towards Understanding Action Recognition", ICCV 2013, in the pickles of
DD-Net. 15 joints drawn by hand in shares of the person's size, x right, y down; what
size the picture had is not told. Three official splits.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.restricted_pickle import loads_annotations

from .clip_set import Clip, ClipSet, Files, by_name, check_finite, rotate_folds

CLASSES = (
    *("catch", "clap", "golf", "jump", "pick", "pour", "pullup", "push", "run", "sit"),
    *("stand", "throw", "walk", "wave"),
)
_LISTS = tuple(
    f"GT_{part}_{split}.pkl" for split in "123" for part in ("train", "test")
)


def _read(files: Files) -> Iterator[Clip]:
    found = by_name(files)
    for name in _LISTS:
        if name not in found:
            raise ValueError(f"{name} is not beside {', '.join(sorted(found))}")
    # The lists have neither names nor numbers: a clip is known by its joints.
    clips: dict[tuple[int, bytes], Clip] = {}
    for name in _LISTS:
        split, tests = name[-5], "test" in name
        for index, (label, pose) in enumerate(_parse(*found[name])):
            key = label, pose.tobytes()
            if key not in clips:
                number = sum(other == label for other, _ in clips)
                clips[key] = Clip(
                    name=f"{CLASSES[label]}_{number:02d}",
                    label=label,
                    groups=(),
                    keypoint=pose[None],
                    where=f"{found[name][0]}, clip {index}",
                )
            clips[key].groups += (split,) if tests else ()
    yield from clips.values()


def _parse(where: str, data: bytes) -> Iterator[tuple[int, np.ndarray]]:
    content = loads_annotations(data, where)
    content = content if isinstance(content, dict) else {}
    poses, labels = content.get("pose"), content.get("label")
    if not isinstance(poses, list) or not isinstance(labels, list):
        raise ValueError(f"{where}: expected a dict with lists 'pose' and 'label'")
    if len(poses) != len(labels):
        raise ValueError(f"{where}: {len(poses)} poses, but {len(labels)} labels")
    for index, (pose, label) in enumerate(zip(poses, labels)):
        spot = f"{where}, clip {index}"
        if not isinstance(label, str) or label not in CLASSES:
            raise ValueError(
                f"{spot}: unknown class {brief(label)}, the data set has "
                f"{', '.join(CLASSES)}"
            )
        is_array = isinstance(pose, np.ndarray) and pose.dtype.kind == "f"
        if not is_array or pose.shape[1:] != (15, 2) or not pose.size:
            raise ValueError(
                f"{spot}: the pose is {brief(pose)}, expected floats [T, 15, 2]"
            )
        yield CLASSES.index(label), check_finite(pose, spot)


CLIP_SET = ClipSet(
    classes=CLASSES,
    files=("GT_*.pkl",),
    # Of a split's training clips those are the dev that the next split tests: all the
    # official splits keep the clips of one video together.
    folds=rotate_folds([("1",), ("2",), ("3",)]),
    size=609,
    read=_read,
)
