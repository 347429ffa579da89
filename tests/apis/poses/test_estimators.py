"""Results of every estimator, in the form that its documentation says."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from gap_mmaction.apis.poses import Poses, is_result_of_estimator, read_poses
from gap_mmaction.skeletons import get_skeleton
from tests.apis.poses.known_person import SIZE, make_person, make_world_landmarks

COCO, OTHER = make_person("coco"), make_person("coco", seed=1)
SHARES = np.array([SIZE[1], SIZE[0], 1])


def check(poses: Poses, layout: str, *frames: list[np.ndarray]) -> None:
    assert poses.layout == layout and len(poses.frames) == len(frames)
    for found, expected in zip(poses.frames, frames):
        assert found.shape[0] == len(expected) and found.dtype == np.float32
        for one, other in zip(found, expected):
            np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-3)


def tracks(poses: Poses) -> list[list[int]] | None:
    return None if poses.ids is None else [found.tolist() for found in poses.ids]


class TestMediaPipe:
    @staticmethod
    def landmarks(rows: np.ndarray) -> list[dict[str, float]]:
        return [dict(zip(("x", "y", "z", "visibility"), row)) for row in rows.tolist()]

    def result(self, rows: np.ndarray | None, kind: str, key: str) -> Any:
        """What the solutions (one person) and the tasks (a list of them) return."""
        if kind == "solutions as json":
            return {key: None if rows is None else {"landmark": self.landmarks(rows)}}
        marks = [] if rows is None else self.landmarks(rows)
        objects = [SimpleNamespace(**mark) for mark in marks]
        if kind == "tasks":
            return SimpleNamespace(**{key: [objects] if objects else []})
        one = SimpleNamespace(landmark=objects) if objects else None
        return SimpleNamespace(**{key: one})

    @pytest.mark.parametrize("kind", ["solutions", "solutions as json", "tasks"])
    def test_space_and_picture(self, kind: str) -> None:
        rows = np.column_stack([make_world_landmarks(), np.linspace(0.1, 1, 33)])
        key = "pose_world_landmarks"
        results = [self.result(one, kind, key) for one in (rows, None, rows)]
        assert is_result_of_estimator(results)
        turned = rows * (-1, -1, 1, 1)
        check(read_poses(results, "me"), "mediapipe", [turned], [], [turned])

        names = get_skeleton("mediapipe").joint_names
        picture = make_person("mediapipe")
        shares = picture / SHARES
        rows = np.column_stack([shares[:, :2], rows[:, 2], shares[:, 2]])
        results = [self.result(rows, kind, "pose_landmarks")]
        poses = read_poses(results, "me", flat=True, img_shape=SIZE)
        order = [names.index(name) for name in get_skeleton("coco").joint_names]
        check(poses, "coco", [picture[order]])
        assert poses.img_shape == SIZE
        with pytest.raises(ValueError, match="give img_shape"):
            read_poses(results, "me", flat=True)
        with pytest.raises(ValueError, match="only those of the picture"):
            read_poses(results, "me")

    def test_right_hand_up_in_kinects_axes(self) -> None:
        marks = [SimpleNamespace(x=x, y=y, z=z) for x, y, z in make_world_landmarks()]
        result = SimpleNamespace(pose_world_landmarks=[marks])
        poses = read_poses([result], "me").to("nw-ucla")
        joints = dict(zip(get_skeleton("nw-ucla").joint_names, poses.frames[0][0]))
        assert all(joint[3] == 1 for joint in joints.values())  # no visibility is told
        assert joints["right hand"][1] > joints["head"][1] + 0.2
        assert joints["right hand"][0] > joints["left shoulder"][0]
        assert joints["right foot"][2] < joints["right ankle"][2]  # towards the camera
        # As in the recordings: hip centre, spine, shoulder centre, head from below.
        trunk = ("hip centre", "spine", "shoulder centre", "head")
        heights = [joints[name][1] for name in trunk]
        assert heights == sorted(heights)

    def test_bad(self) -> None:
        result = SimpleNamespace(
            pose_world_landmarks=[[SimpleNamespace(x=0, y=0, z=0)]]
        )
        with pytest.raises(
            ValueError, match=r"me: frame 0: .*1 landmarks, expected 33"
        ):
            read_poses([result], "me")


class TestYOLO:
    def test_objects(self) -> None:
        hidden = COCO.copy()
        hidden[3] = 0, 0, 0.3  # below the model's threshold
        data = [torch.tensor(np.stack([COCO, OTHER])), torch.tensor(hidden[None])]
        ids = [torch.tensor([4.0, 2.0]), None]
        results = [
            SimpleNamespace(
                keypoints=SimpleNamespace(data=joints),
                boxes=SimpleNamespace(id=track),
                orig_shape=SIZE,
            )
            for joints, track in zip((*data, torch.zeros(0, 17, 3)), (*ids, None))
        ]
        poses = read_poses(iter(results), "me")
        hidden[3, 2] = 0
        check(poses, "coco", [COCO, OTHER], [hidden], [])
        assert tracks(poses) == [[4, 2], [-1], []] and poses.img_shape == SIZE
        results[0].keypoints = None
        with pytest.raises(ValueError, match=r"me: frame 0: .*YOLO pose model"):
            read_poses(results, "me")

    @pytest.mark.parametrize("form", ["texts", "file", "one frame"])
    def test_json(self, form: str, tmp_path: Path) -> None:
        person = {
            "name": "person",
            "track_id": 7,
            "keypoints": dict(zip(("x", "y", "visible"), COCO.T.tolist())),
        }
        frames: Any = [json.dumps([person]), json.dumps([])]
        if form == "one frame":
            check(read_poses([person], "me"), "coco", [COCO])
            return
        if form == "file":
            (tmp_path / "all.json").write_text(json.dumps([[person], []]))
            frames = tmp_path / "all.json"
        poses = read_poses(frames, "me")
        check(poses, "coco", [COCO], [])
        assert tracks(poses) == [[7], []]

    @pytest.mark.parametrize(
        ("columns", "end", "ids"),
        [
            (3, [], None),
            (2, [], None),
            (3, [0.75], None),
            (3, [3], [[], [3], [], [3]]),
            (3, [0.75, 3], [[], [3], [], [3]]),
            (2, [0.75, 3], [[], [3], [], [3]]),
        ],
    )
    def test_labels(
        self, columns: int, end: list[float], ids: Any, tmp_path: Path
    ) -> None:
        shares = (COCO / SHARES)[:, :columns]
        line = " ".join(f"{n:.8g}" for n in (0, 0.5, 0.5, 0.2, 0.9, *shares.flat, *end))
        for frame in (2, 4):
            (tmp_path / f"walk_{frame}.txt").write_text(f"{line} \n")
        with pytest.raises(ValueError, match="give img_shape"):
            read_poses(tmp_path, "me")
        person = COCO if columns == 3 else np.c_[COCO[:, :2], np.ones(17)]
        poses = read_poses(tmp_path, "me", img_shape=SIZE)
        check(poses, "coco", [], [person], [], [person])
        assert tracks(poses) == ids

    @pytest.mark.parametrize(
        ("file", "text", "words"),
        [
            ("a_1.txt", "0 1 2 3", "a_1.txt: this is not labels of 17 joints"),
            ("a_1.txt", "0 " * 59, "a_1.txt.*line of 59 numbers"),
            ("a_1.txt", "x", "a_1.txt"),
            ("a.txt", "", "no frame number"),
            ("a_2000000.txt", "", "are no recording"),
        ],
    )
    def test_bad_labels(self, file: str, text: str, words: str, tmp_path: Path) -> None:
        (tmp_path / file).write_text(text)
        with pytest.raises(ValueError, match=words):
            read_poses(tmp_path, "me", img_shape=SIZE)


class TestOpenPose:
    @staticmethod
    def write(folder: Path, frame: int, *persons: np.ndarray, name: str = "v") -> None:
        people = [
            {"person_id": [-1], "pose_keypoints_2d": person.ravel().tolist()}
            for person in persons
        ]
        path = folder / f"{name}_{frame:012d}_keypoints.json"
        path.write_text(json.dumps({"version": 1.3, "people": people}))

    @pytest.mark.parametrize("layout", ["openpose18", "openpose25"])
    def test_folder(self, layout: str, tmp_path: Path) -> None:
        first, second = make_person(layout), make_person(layout, seed=1)
        first[4] = 0
        for frame, persons in {10: [second], 2: [], 1: [first, second]}.items():
            self.write(tmp_path, frame, *persons)
        poses = read_poses(tmp_path, "me")
        check(poses, layout, [first, second], [], [second])
        assert poses.ids is None
        names = get_skeleton(layout).joint_names
        order = [names.index(name) for name in get_skeleton("coco").joint_names]
        check(
            poses.to("coco"), "coco", [first[order], second[order]], [], [second[order]]
        )

    def test_bad(self, tmp_path: Path) -> None:
        self.write(tmp_path, 0)
        with pytest.raises(ValueError, match="nobody is in any of the 1 frames"):
            read_poses(tmp_path, "me")
        self.write(tmp_path, 1, np.ones((15, 3)))
        with pytest.raises(ValueError, match=r"\[15\] joints; run OpenPose with"):
            read_poses(tmp_path, "me")
        (tmp_path / "v_3_keypoints.json").write_text('{"people": [')
        with pytest.raises(ValueError, match=r"v_3_keypoints\.json: .*OpenPose"):
            read_poses(tmp_path, "me")
        self.write(tmp_path, 0, name="other")
        with pytest.raises(ValueError, match=r"several recordings.*'other_', 'v_'"):
            read_poses(tmp_path, "me")


class TestAlphaPose:
    @staticmethod
    def person(frame: int, joints: np.ndarray, **more: Any) -> dict[str, Any]:
        keypoints = joints.ravel().tolist()
        image = f"{frame}.jpg"
        return {"image_id": image, "keypoints": keypoints, "score": 2.5, **more}

    @pytest.mark.parametrize("layout", ["coco", "halpe26"])
    def test_list(self, layout: str, tmp_path: Path) -> None:
        first, second = make_person(layout), make_person(layout, seed=1)
        people = [
            self.person(1, first, idx=1),
            self.person(1, second, idx=[2]),
            self.person(10, second, idx=2),
            self.person(3, first),
        ]
        path = tmp_path / "alphapose-results.json"
        path.write_text(json.dumps(people))
        poses = read_poses(path, "me")
        check(poses, layout, [], [first, second], [], [first], *[[]] * 6, [second])
        assert tracks(poses) == [[], [1, 2], [], [-1], *[[]] * 6, [2]]

    @pytest.mark.parametrize(
        ("person", "words"),
        [
            (dict(keypoints=[0.0] * 408), r"\[136\] joints; .*keep the first 26"),
            (dict(keypoints=[0.0] * 50), "person 0: this is not written by AlphaPose"),
            (dict(keypoints=None), "person 0: this is not written by AlphaPose"),
            (dict(idx=[]), "person 0: this is not written by AlphaPose"),
            (dict(image_id="one.jpg"), "'one.jpg' has no frame number"),
            (dict(image_id="20240501123000.jpg"), "are no recording"),
        ],
    )
    def test_bad(self, person: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=f"me: .*{words}"):
            read_poses([{**self.person(0, COCO), **person}], "me")
