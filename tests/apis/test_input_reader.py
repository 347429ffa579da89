"""Every form that a sequence may have."""

from __future__ import annotations

import io
import json
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from scipy.io import savemat

from gap_mmaction.apis.input_format import InputFormat
from gap_mmaction.apis.input_reader import InputReader
from gap_mmaction.datasets.ntu.sample import convert_skeleton
from gap_mmaction.datasets.readers import CLIP_SETS
from tests.config_files import ROOT, load
from tests.models.text_common import raises
from tests.ntu_recordings import format_skeleton, make_person


def make_reader(leaf: str, **options: Any) -> InputReader:
    config = load(ROOT / "configs" / "gap" / f"{leaf}.py")
    classes = config.model.cls_head.num_classes
    return InputReader(InputFormat.from_config(config), classes, **options)


UCLA = make_reader("ctrgcn_nwucla")
NTU60 = make_reader("ctrgcn_ntu60")
NTU120 = make_reader("ctrgcn_ntu120")
COCO = make_reader("ctrgcn_ntu60_2d")


class TestFormat:
    def test_of_stock_configs(self) -> None:
        model: dict[str, Any] = {"backbone": {"type": "CTRGCN", "in_channels": 2}}
        with pytest.raises(ValueError, match="no joint layout"):
            InputFormat.from_config({"model": model})
        model["backbone"]["graph_cfg"] = {"layout": "coco"}
        with pytest.raises(ValueError, match="no test pipeline"):
            InputFormat.from_config({"model": model})
        step = {"type": "PreNormalize2D", "img_shape": (8, 8)}
        config = Config({"model": model, "test_pipeline": [step]})
        found = InputFormat.from_config(config)
        assert (found.num_columns, found.has_score) == (2, False)
        assert not found.needs_img_shape


class TestNTU:
    @pytest.fixture
    def content(self) -> bytes:
        person = make_person(np.random.default_rng(0), 20)
        return format_skeleton([[("1", joints)] for joints in person])

    def test_as_prepared(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "my recording.skeleton"
        path.write_bytes(content)
        sample = convert_skeleton(content, "S001C001P001R001A013")
        assert sample.annotation is not None
        expected = sample.annotation["keypoint"]
        assert expected.shape == (1, 20, 25, 3)
        (annotation,) = NTU60.read(path, str(path))
        np.testing.assert_array_equal(annotation["keypoint"], expected)
        # Rule 9 of the reference: NTU RGB+D 120 has a copy of a single actor.
        (annotation,) = NTU120.read(path, str(path))
        np.testing.assert_array_equal(annotation["keypoint"], np.repeat(expected, 2, 0))
        clean = make_reader("ctrgcn_ntu120", ntu_protocol="clean")
        (annotation,) = clean.read(path, str(path))
        np.testing.assert_array_equal(annotation["keypoint"], expected)


@pytest.mark.parametrize(
    ("data", "name", "shape"),
    [
        ("utd_mhad", "a1_s2_t1_skeleton.mat", (1, 5, 20, 3)),
        ("msr_action3d", "a01_s02_e01_skeleton3D.txt", (1, 5, 20, 3)),
        ("sbu_kinect", "s01s02/01/001/skeleton_pos.txt", (2, 6, 15, 3)),
    ],
)
def test_raw_files_are_read_as_they_are_prepared(
    data: str, name: str, shape: tuple[int, ...], tmp_path: Path
) -> None:
    joints = np.random.default_rng(0).uniform(size=(6, shape[2] * shape[0], 3))
    joints[2] *= data == "sbu_kinect"  # a frame of zeros, of sets that have such
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if data == "utd_mhad":
        savemat(path, {"d_skel": joints.transpose(1, 2, 0)})
    elif data == "msr_action3d":
        np.savetxt(path, np.insert(joints.reshape(-1, 3), 3, 1, axis=1))
    else:
        rows = np.column_stack([np.arange(6), joints.reshape(6, -1)])
        np.savetxt(path, rows, delimiter=",")
    (annotation,) = UCLA.read(path, str(path))
    files = [(str(path), path.read_bytes())]
    (expected,) = CLIP_SETS[data].make_annotations(files)[0]["annotations"]
    assert annotation["keypoint"].shape == shape
    assert annotation["keypoint"].dtype == expected["keypoint"].dtype
    np.testing.assert_array_equal(annotation["keypoint"], expected["keypoint"])


class TestAnnotations:
    ITEMS = tuple(
        {"frame_dir": f"a{i}", "keypoint": np.full((1, 4 + i, 20, 3), i + 1.0)}
        for i in range(3)
    )

    def test_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.pkl"
        content = {"split": {"val": ["a0", "a2"]}, "annotations": list(self.ITEMS)}
        path.write_bytes(pickle.dumps(content))
        for split, names in ((None, ["a0", "a1", "a2"]), ("val", ["a0", "a2"])):
            found = UCLA.read(path, str(path), split)
            assert [item["frame_dir"] for item in found] == names
        with pytest.raises(ValueError, match=r"mine\.pkl: no split 'test'.*'val'"):
            UCLA.read(path, str(path), "test")
        for bare, count in ((list(self.ITEMS), 3), (self.ITEMS[1], 1)):
            path.write_bytes(pickle.dumps(bare))
            assert len(UCLA.read(path, str(path))) == count
        (bare,) = UCLA.read([{"keypoint": self.ITEMS[0]["keypoint"]}], "mine")
        assert bare["frame_dir"] == "mine#0"

    def test_unknown_forms(self) -> None:
        for source, words in (
            (5, "a int"),
            ({"pose": 1}, "['pose']"),
            ([1, "a"], "a list of int and str"),
            ({"annotations": []}, "no list with a sequence"),
            ({"annotations": [5]}, "annotation 0 is a int"),
        ):
            with pytest.raises((TypeError, ValueError), match=re.escape(words)):
                UCLA.read(source, "mine")


def make_poses(counts: tuple[int, ...] = (2, 0, 1)) -> list[dict[str, Any]]:
    rng = np.random.default_rng(0)
    return [
        {
            "keypoints": rng.uniform(0, 400, (count, 17, 2)).astype(np.float32),
            "keypoint_scores": rng.uniform(0, 1, (count, 17)).astype(np.float32),
            "bboxes": np.zeros((count, 4), np.float32),
        }
        for count in counts
    ]


class TestPoseResults:
    def test_files(self, tmp_path: Path) -> None:
        poses = make_poses()
        (expected,) = COCO.read(poses, "mine")
        # As mmpose's demo writes it, and its inferencer.
        keys = ("keypoints", "keypoint_scores")
        lists = [[pose[key].tolist() for key in keys] for pose in poses]
        frames = [
            {"frame_id": i, "instances": [dict(zip(keys, p)) for p in zip(*both)]}
            for i, both in enumerate(lists)
        ]
        for name, content in (
            ("demo.json", json.dumps({"instance_info": frames}).encode()),
            ("poses.json", json.dumps(frames).encode()),
            ("poses.pkl", pickle.dumps(poses)),
        ):
            path = tmp_path / name
            path.write_bytes(content)
            (found,) = COCO.read(path, str(path))
            for key in ("keypoint", "keypoint_score"):
                np.testing.assert_array_equal(found[key], expected[key])

    def test_bad(self) -> None:
        ones = np.ones((1, 17, 2))
        for frame, words in (
            ({"keypoints": ones}, ["no 'keypoint_scores'"]),
            ({"keypoints": [["a"]], "keypoint_scores": [[1]]}, ["no numbers"]),
            ({"keypoints": ones[0], "keypoint_scores": ones[0, :, 0]}, ["[17, 2]"]),
            ({"keypoints": ones[:, 1:], "keypoint_scores": ones[:, 1:, 0]}, ["16"]),
            ({"instances": [5]}, ["no list of persons"]),
        ):
            with raises(ValueError, "mine: frame 1", *words):
                COCO.read([*make_poses((1,)), frame], "mine")
        with pytest.raises(ValueError, match="mine: nobody is in any of the 2 frames"):
            COCO.read(make_poses((0, 0)), "mine")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"absent\.npy: there is no such"):
        UCLA.read("absent.npy", "absent.npy")
    objects = io.BytesIO()
    np.save(objects, np.array([{}], dtype=object))
    for name, content, message in (
        ("a.txt", b"", r"are not read.*\*\.mat, \*_skeleton3D\.txt, skeleton_pos"),
        ("a.mat", b"MATLAB 5.0", r"not a readable MATLAB"),
        ("b.json", b"[" * 100_000, "not json"),
        ("b.npy", b"no array", "no readable array"),
        # Objects would run what their pickle asks for.
        ("c.npy", objects.getvalue(), "no readable array"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as error:
            UCLA.read(path, name)
        assert str(path) in str(error.value)
    path = tmp_path / "a.pkl"
    path.write_bytes(b"no pickle")
    with pytest.raises(pickle.UnpicklingError, match=r"a\.pkl: "):
        UCLA.read(path, "a.pkl")
