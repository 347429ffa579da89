"""Poses, csv tables, and what is no result of an estimator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.apis.input_format import InputFormat
from gap_mmaction.apis.input_reader import InputReader
from gap_mmaction.apis.poses import Poses, is_result_of_estimator, read_poses
from gap_mmaction.skeletons import get_skeleton, layouts
from tests.apis.poses.known_person import make_person, make_world_landmarks

COCO = make_person("coco")


def write_table(
    path: Path, layout: str, keys: dict[str, list[Any]], scores: bool = False
) -> np.ndarray:
    """Writes a row for each key, and returns ``[rows, V, C + 1]`` as it is read."""
    skeleton = get_skeleton(layout)
    axes = "xyz"[: skeleton.num_coordinates]
    columns = [*axes, "score"] if scores else [*axes]
    rows = len(next(iter(keys.values())))
    shape = (rows, skeleton.num_joints, len(columns))
    values = np.random.default_rng(0).uniform(size=shape).round(3)
    names = [f"{j} {c}" for j in skeleton.joint_names for c in columns]
    lines = [[*keys, *names]]
    for row, joints in enumerate(values):
        lines.append([str(column[row]) for column in keys.values()])
        lines[-1] += [f"{value:g}" for value in joints.flat]
    path.write_text("".join(",".join(line) + "\n" for line in lines))
    return (
        values
        if scores
        else np.concatenate([values, np.ones_like(values[..., :1])], -1)
    )


class TestTable:
    @pytest.mark.parametrize("layout", layouts())
    def test_layouts(self, layout: str, tmp_path: Path) -> None:
        path = tmp_path / "table.txt"
        values = write_table(path, layout, {"time": [0, 0.5]}, scores=True)
        text = path.read_text()
        for form in (text, text.replace(" ", "_").upper(), f"\ufeff{text}\n"):
            path.write_text(form, "utf-8")
            poses = read_poses(path, "me")
            assert poses.layout == layout and poses.times is not None
            assert poses.times.tolist() == [0, 0.5] and poses.ids is None
            np.testing.assert_allclose(np.concatenate(poses.frames), values, atol=1e-6)

    def test_frames_and_persons(self, tmp_path: Path) -> None:
        path = tmp_path / "table.csv"
        keys: dict[str, list[Any]] = {"Frame": [3, 3, 6], "person": [5, 2, ""]}
        values = write_table(path, "coco", keys)
        poses = read_poses(path, "me")
        assert [len(frame) for frame in poses.frames] == [2, 0, 0, 1]
        assert poses.ids is not None and poses.times is None
        assert [ids.tolist() for ids in poses.ids] == [[5, 2], [], [], [-1]]
        np.testing.assert_allclose(poses.frames[0], values[:2], atol=1e-6)
        np.testing.assert_allclose(poses.frames[3], values[2:], atol=1e-6)

    def test_empty_cells(self, tmp_path: Path) -> None:
        path = tmp_path / "table.csv"
        write_table(path, "coco", {"frame": [0]})
        header, row = path.read_text().splitlines()
        path.write_text(f"{header}\n{row.rpartition(',')[0]},\n")
        frame = read_poses(path, "me").frames[0]
        assert not frame[0, 16].any() and frame[0, :16].all()

    @pytest.mark.parametrize(
        ("keys", "old", "new", "words"),
        [
            ({"time": [0]}, "left wrist x", "left wirst x",
             ["'coco'", "'left wrist x' is missing", "did you mean 'left wirst x'?"]),
            ({"time": [0]}, "left wrist x", "nose z", ["'coco'", "missing"]),
            ({"time": [1, 0.5]}, "", "", ["line 3, time 0.5", "sort the rows"]),
            ({"time": ["x"]}, "", "", ["line 2: this is not a row of numbers", "'x'"]),
            ({"time": [""]}, "", "", ["line 2, time nan"]),
            ({"frame": [0.5]}, "", "", ["line 2, frame 0.5"]),
            ({"frame": [0, 2_000_000]}, "", "", ["are no recording"]),
            ({"frame": []}, "", "", ["no rows"]),
            ({"second": [0]}, "", "", ["a csv table with a column 'time'"]),
            ({"time": [0]}, "\n0,", "\n", ["line 2: this is not a row"]),
        ],
    )  # fmt: skip
    def test_bad(
        self, keys: dict[str, Any], old: str, new: str, words: list[str], tmp_path: Path
    ) -> None:
        path = tmp_path / "table.csv"
        write_table(path, "coco", keys)
        path.write_text(path.read_text().replace(old, new) if old else path.read_text())
        with pytest.raises(ValueError) as error:
            read_poses(path, "me")
        assert not [w for w in (*words, str(path)) if w not in str(error.value)], error


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(layout="nw-ucla"), r"frame 0 has shape \[1, 17, 3\].*\[M, 20, 4\]"),
        (dict(times=np.zeros(1)), "for 2 frames"),
        (dict(times=np.array([0.0, 0.0])), "frame 1 is at 0.0 s"),
        (dict(times=np.array([0.0, np.nan])), "frame 1 is at nan s"),
        (dict(ids=[np.zeros(1), np.zeros(2)]), "ids"),
    ],
)
def test_bad_poses(options: dict[str, Any], words: str) -> None:
    settings: dict[str, Any] = dict(layout="coco", frames=[COCO[None]] * 2)
    with pytest.raises(ValueError, match=words):
        Poses(**{**settings, **options})


def test_to_own_layout() -> None:
    own = dict(
        joints=["neck", "nose"], inward=[("nose", "neck")], center="neck",
        num_coordinates=2, parts=dict(all=["neck", "nose"]),
    )  # fmt: skip
    poses = Poses("coco", [COCO[None], COCO[:0][None][:0].reshape(0, 17, 3)])
    found = poses.to(own)
    assert [frame.shape for frame in found.frames] == [(1, 2, 3), (0, 2, 3)]
    np.testing.assert_allclose(found.frames[0][0, 0, :2], COCO[5:7, :2].mean(0))
    assert found.frames[0][0, 0, 2] == COCO[5:7, 2].min()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ([], r"me: \[\] is of no known kind; expected results of MediaPipe"),
        ([{"keypoints": [[[0, 0]]], "keypoint_scores": [[1]]}], "no known kind"),
        ({"people": []}, "no known kind"),
        (["a.json"], "no known kind"),
        ([[0.0, 1.0]], "no known kind"),
        (3, "me: 3 is of no known kind"),
    ],
)
def test_no_results(source: Any, words: str) -> None:
    assert not is_result_of_estimator(source)
    with pytest.raises(ValueError, match=words):
        read_poses(source, "me")


def test_input_with_keypoints() -> None:
    """AlphaPose and YOLO write 'keypoints', as mmpose does."""
    reader = InputReader(InputFormat(get_skeleton("coco"), 2, True, False), 60)
    axes = dict(zip(("x", "y", "visible"), COCO.T.tolist()))
    for person in (
        {"image_id": "0.jpg", "keypoints": COCO.ravel().tolist(), "score": 2.0},
        {"name": "person", "keypoints": axes},
        {"keypoints": COCO[None, :, :2], "keypoint_scores": COCO[None, :, 2]},
    ):
        (found,) = reader.read([person], "me")
        np.testing.assert_allclose(found["keypoint"][0, 0], COCO[:, :2], rtol=1e-5)
    with pytest.raises(TypeError, match="me: a list of ndarray, expected an array"):
        reader.read([COCO], "me")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_broken_files(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"broken\.json"):
        read_poses(path, "me")
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        read_poses(tmp_path / "none.json", "me")
    path.unlink()
    with pytest.raises(ValueError, match="no results in this folder"):
        read_poses(tmp_path, "me")


def test_table_of_own_layout(tmp_path: Path) -> None:
    joints = dict(joints=["root", "tail"], inward=[("tail", "root")], center="root")
    own = get_skeleton(dict(joints, num_coordinates=2, parts=dict(tail=["tail"])))
    path = tmp_path / "fish.csv"
    path.write_text("frame,root x,root y,tail_x,tail_y\n0,1,2,3,4\n")
    found = read_poses(path, "me", own=own).to(own).frames[0]
    np.testing.assert_array_equal(found, [[[1, 2, 1], [3, 4, 1]]])
    with pytest.raises(ValueError, match="is missing"):
        read_poses(path, "me")


def test_units_and_axes() -> None:
    person = np.column_stack([make_world_landmarks() * (-1, -1, 1), np.ones(33)])

    def read(factor: tuple[float, ...]) -> None:
        Poses("mediapipe", [(person * (*factor, 1))[None]]).annotation("me")

    read((1, 1, 1))
    with pytest.raises(ValueError, match=r"me: .*head it is 6\d\d, .*by 1000"):
        read((1e3, 1e3, 1e3))
    with pytest.warns(UserWarning, match="me: the head is below the hips"):
        read((-1, -1, 1))
