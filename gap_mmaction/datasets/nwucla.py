"""NW-UCLA skeletons: from the json files to one annotation dict.

The data set (Wang et al., "Cross-view action modeling, learning and recognition",
CVPR 2014; Kinect v1, 20 joints) comes as one json file for a sequence, named
``aAA_sSS_eEE_vVV.json`` after action, performer, repetition and view. Views 1 and 2
train, view 3 tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.strict_json import parse_json
from gap_mmaction.utils.zip_source import open_zip, read_member

ACTION_IDS = (1, 2, 3, 4, 5, 6, 8, 9, 11, 12)
"""Action id in the file name of each class, in the order of the class indices."""

SPLIT_OF_VIEW = {1: "xview_train", 2: "xview_train", 3: "xview_val"}

_NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)")


def list_sequences(source: str | PathLike[str]) -> list[str]:
    """List the json files of the data set.

    Args:
        source: ``all_sqe.zip`` or the folder it unpacks to.

    Returns:
        Paths inside the source, sorted by file name.

    Raises:
        FileNotFoundError: If the source does not exist or has no json file.
        ValueError: If it is a file but no zip archive, or has a sequence twice.
    """
    path = Path(source)
    if path.is_dir():
        members = [file.relative_to(path).as_posix() for file in path.rglob("*.json")]
    elif path.is_file():
        with open_zip(path, "download it again") as archive:
            members = archive.namelist()
    else:
        raise FileNotFoundError(
            f"{path}: neither a zip archive nor a folder; give the path of all_sqe.zip "
            "or of the folder it unpacks to"
        )
    # Archives made on a Mac carry a hidden '._' twin of every file.
    members = [
        member
        for member in members
        if member.endswith(".json") and not PurePosixPath(member).name.startswith("._")
    ]
    if not members:
        raise FileNotFoundError(
            f"{path}: no json file in it; give the path of all_sqe.zip or of the "
            "folder it unpacks to"
        )
    members.sort(key=_file_stem)
    for first, second in zip(members, members[1:]):
        if _file_stem(first) == _file_stem(second):
            raise ValueError(
                f"{path}: the sequence {_file_stem(first)} is there twice, as "
                f"'{first}' and '{second}'; remove one"
            )
    return members


def read_sequences(
    source: str | PathLike[str], members: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Read sequences one after the other, without unpacking an archive.

    Args:
        source: As in :func:`list_sequences`.
        members: Paths inside the source.

    Yields:
        The annotation of each, see :func:`parse_sequence`.

    Raises:
        ValueError: If a file is broken; the message names it.
    """
    path = Path(source)
    if path.is_dir():
        for member in members:
            yield parse_sequence((path / member).read_bytes(), str(path / member))
        return
    with open_zip(path, "download it again") as archive:
        for member in members:
            data = read_member(archive, member, "download the archive again")
            yield parse_sequence(data, f"{path}: {member}")


def parse_sequence(data: bytes, where: str) -> dict[str, Any]:
    """Turn one json file into one annotation.

    Args:
        data: The content of the file.
        where: Its path, for the class, the view and error messages.

    Returns:
        ``frame_dir`` (the file name without suffix), ``label`` (0-based),
        ``total_frames`` and ``keypoint``, float32 ``[1, T, 20, 3]`` in metres as the
        camera sees them.

    Raises:
        ValueError: If the name is not that of a sequence, the content is not json,
            lacks a key, disagrees with the name, or its coordinates are not finite
            numbers ``[T, 20, 3]`` with T > 0.
    """
    name = _file_stem(where)
    label = label_of(name, where)
    try:
        content = parse_json(data)
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise ValueError(f"{where}: not json ({error}); restore the file") from error
    if not isinstance(content, dict):
        raise ValueError(
            f"{where}: holds a {type(content).__name__}, not an object with the keys "
            "'label' and 'skeletons'"
        )
    for key in ("label", "skeletons"):
        if key not in content:
            raise ValueError(
                f"{where}: the key '{key}' is missing (there are: "
                f"{brief(sorted(content))}); restore the file"
            )
    if type(content["label"]) is not int or content["label"] != label + 1:
        raise ValueError(
            f"{where}: 'label' is {brief(content['label'])}, but the action id in the "
            f"name means {label + 1}; one of them is wrong, restore the file"
        )
    keypoint = read_keypoint(content["skeletons"], where)
    return {
        "frame_dir": name,
        "label": label,
        "total_frames": len(keypoint),
        "keypoint": keypoint[None],
    }


def label_of(name: str, where: str = "") -> int:
    """Get the class index of a sequence from its name.

    Args:
        name: Such as ``a01_s01_e00_v01``.
        where: What error messages call it, its name by default.

    Returns:
        The 0-based class index.

    Raises:
        ValueError: If the name has another form, or an unknown action id or view.
    """
    where = where or name
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(
            f"{where}: the name is not of the form aAA_sSS_eEE_vVV.json; remove the "
            "file from the source"
        )
    action, view = int(match[1]), int(match[4])
    if action not in ACTION_IDS:
        raise ValueError(
            f"{where}: unknown action id {action}, the data set has "
            f"{', '.join(map(str, ACTION_IDS))}"
        )
    if view not in SPLIT_OF_VIEW:
        raise ValueError(
            f"{where}: unknown view {view}, the data set has "
            f"{', '.join(map(str, SPLIT_OF_VIEW))}"
        )
    return ACTION_IDS.index(action)


def make_annotations(sequences: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Put sequences and the cross-view splits into one dict.

    Args:
        sequences: Annotations of :func:`read_sequences`.

    Returns:
        ``{"split": {"xview_train": [...], "xview_val": [...]}, "annotations": [...]}``,
        what ``PoseDataset`` reads.
    """
    split: dict[str, list[str]] = {name: [] for name in SPLIT_OF_VIEW.values()}
    for sequence in sequences:
        name = sequence["frame_dir"]
        split[SPLIT_OF_VIEW[int(name[-2:])]].append(name)
    return {"split": split, "annotations": list(sequences)}


def _file_stem(path: str) -> str:
    return PurePosixPath(Path(path).as_posix()).stem


def read_keypoint(skeletons: Any, where: str) -> np.ndarray:
    """Check what a json file has under ``skeletons``.

    Args:
        skeletons: Lists of numbers.
        where: What error messages call the file.

    Returns:
        float32 ``[T, 20, 3]``, metres.

    Raises:
        ValueError: If it is of another shape, or not finite.
    """
    num_joints = get_skeleton("nw-ucla").num_joints
    expected = f"expected numbers in a list [T, {num_joints}, 3] with T > 0"
    if not isinstance(skeletons, list) or not skeletons:
        raise ValueError(f"{where}: 'skeletons' has no frames; {expected}")
    try:
        array = np.array(skeletons)
    except ValueError as error:  # lists of unequal length
        raise ValueError(
            f"{where}: 'skeletons' is ragged ({error}); {expected}"
        ) from error
    if array.dtype.kind not in "iuf" or array.shape[1:] != (num_joints, 3):
        raise ValueError(
            f"{where}: 'skeletons' has shape {list(array.shape)} and type "
            f"{array.dtype}; {expected}"
        )
    with np.errstate(over="ignore"):  # what is too large is reported below
        array = array.astype(np.float32)
    bad = ~np.isfinite(array)
    if bad.any():
        frame, joint, axis = np.argwhere(bad)[0]
        raise ValueError(
            f"{where}: 'skeletons' is not finite in frame {frame}, joint {joint}, axis "
            f"{'xyz'[axis]} (0-based); restore the file or remove it from the source"
        )
    return array
