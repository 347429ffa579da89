"""The setting that says layout and stream, and the streams themselves."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.datasets.transforms import JointToBone, ToMotion
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from gap_mmaction.models import SkeletonDataPreprocessor
from gap_mmaction.models.data_preprocessors.streams import hierarchy_matrix, to_stream
from gap_mmaction.skeletons import STREAMS, get_skeleton
from tests.models.text_common import raises


def _data() -> dict[str, list]:
    torch.manual_seed(0)
    samples = [ActionDataSample().set_gt_label(i) for i in range(3)]
    return dict(inputs=list(torch.randn(3, 2, 1, 6, 20, 3)), data_samples=samples)


@pytest.mark.parametrize("stream", STREAMS)
def test_both_forms(stream: str) -> None:
    data, skeleton = _data(), get_skeleton("nw-ucla")
    x = torch.stack(data["inputs"])
    config = dict(type="SkeletonDataPreprocessor", layout="nw-ucla", stream=stream)
    batch = MODELS.build(config)(data, True)
    torch.testing.assert_close(batch["inputs"], to_stream(x, stream, skeleton.bones))
    assert [sample.gt_label.item() for sample in batch["data_samples"]] == [0, 1, 2]
    preprocessor = SkeletonDataPreprocessor("nw-ucla", stream, "hierarchy")
    assert not preprocessor.state_dict()
    out = preprocessor(data)["inputs"]
    power = 1 if stream.startswith("bone") else 6
    matrix = hierarchy_matrix(skeleton, power, reverse=True)
    torch.testing.assert_close(out, to_stream(x, stream, skeleton.bones, matrix))


@pytest.mark.parametrize(
    ("stream", "form"), itertools.product(STREAMS, ("difference", "hierarchy"))
)
def test_mixed_precision_leaves_the_joints_as_they_are(stream: str, form: str) -> None:
    preprocessor = SkeletonDataPreprocessor("nw-ucla", stream, form)
    expected = preprocessor(_data())["inputs"]
    with torch.autocast("cpu", torch.bfloat16):
        inputs = preprocessor(_data())["inputs"]
    assert inputs.dtype == torch.float32 and torch.equal(inputs, expected)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bone_form": "matrix"}, ["bone_form='matrix'"]),
        ({"hierarchy_power": 2}, ["bone_form='hierarchy'"]),
        ({"bone_form": "hierarchy", "hierarchy_power": -1}, ["hierarchy_power=-1"]),
        ({"stream": "velocity"}, ["'velocity'"]),
        ({"layout": "nturgb+d"}, ["20 joints", "'nturgb+d'", "25", "data_preprocess"]),
    ],
)
def test_bad_options(options: dict[str, Any], words: list[str]) -> None:
    with raises(ValueError, *words):
        SkeletonDataPreprocessor(**{"layout": "nw-ucla", **options})(_data())
    data = _data()
    data["inputs"][1] = data["inputs"][1][..., :2]
    with raises(ValueError, "[2, 1, 6, 20, 3], [2, 1, 6, 20, 2]]", "such as"):
        SkeletonDataPreprocessor("nw-ucla")(data)


def test_first_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    log = "gap_mmaction.models.data_preprocessors.skeleton_data_preprocessor.print_log"
    monkeypatch.setattr(log, lambda text, *_: told.append(text))
    data = _data()
    for i, sample in enumerate(data["data_samples"]):
        sample.set_metainfo({"frame_dir": f"clip{i}"})
    x = torch.stack(data["inputs"])
    x[0] = 0
    x[2] = x[2] / 1e3 - 1
    # A second person who is not there is no corner of a body.
    data["inputs"] = list(torch.cat([x, torch.zeros_like(x)], 2))
    preprocessor = SkeletonDataPreprocessor("nw-ucla")
    for _ in range(2):
        preprocessor(data, True)
    assert len(told) == 1 and "2 of 3 clips" in told[0] and ": clip0, clip2." in told[0]
    for known, factor in ((None, 1), (1.0, 1), (1.0, 1000), (1.0, 0.01), (1.0, 0)):
        preprocessor = SkeletonDataPreprocessor("nw-ucla")
        preprocessor.input_scale = known
        data = _data()
        preprocessor({**data, "inputs": [factor * x for x in data["inputs"]]})
        if known is None:
            assert preprocessor.input_scale == pytest.approx(1, abs=0.1)
        elif factor in (0, 1):  # of resumed runs it stays what it was
            assert preprocessor.input_scale == known
    assert len(told) == 4 and "mean square of 1.01e+03" in told[1]


@pytest.mark.parametrize("stream", STREAMS)
def test_golden(shared: Path, stream: str) -> None:
    key = stream.replace("-", "_")
    with np.load(shared / "golden" / "nwucla_pipeline.npz") as golden:
        pairs = [(f"joint/{name}", f"{key}/{name}") for name in golden["names"]]
        train = range(len(golden["train_names"]))
        pairs += [(f"train/{i}/joint", f"train/{i}/{key}") for i in train]
        arrays = [[torch.from_numpy(golden[key]) for key in pair] for pair in pairs]
    with np.load(shared / "golden" / "ntu_pipeline.npz") as golden:
        pair = (torch.from_numpy(golden[f"feeder/{name}"]) for name in ("joint", key))
        # [N, C, T, V, M] there.
        ntu = [x.permute(0, 4, 2, 3, 1) for x in pair]
    layouts = ["nw-ucla"] * len(arrays) + ["nturgb+d"]
    for layout, (joints, expected) in zip(layouts, [*arrays, ntu]):
        actual = to_stream(joints, stream, get_skeleton(layout).bones)
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stream", STREAMS)
def test_2d_is_mmaction2s(stream: str) -> None:
    bones = get_skeleton("coco").bones
    rng = np.random.default_rng(0)
    keypoint = rng.normal(size=(2, 6, 17, 3)).astype(np.float32)  # x, y, confidence
    results = {"keypoint": keypoint}
    if stream.startswith("bone"):
        results = JointToBone(dataset="coco").transform(results)
    if stream.endswith("motion"):
        results = ToMotion(dataset="coco", target="keypoint").transform(results)
    x = torch.from_numpy(keypoint)
    before = x.clone()
    actual = to_stream(x, stream, bones, num_coordinates=2)
    np.testing.assert_allclose(actual, results["keypoint"], rtol=0, atol=1e-6)
    assert torch.equal(x, before)


def test_matrices(golden_folder: Path) -> None:
    kinds = [("ntu", "nturgb+d", False, 8), ("ucla", "nw-ucla", True, 6)]
    with np.load(golden_folder / "ntu_pipeline.npz") as golden:
        for (data, layout, reverse, last), i in itertools.product(kinds, range(4)):
            power = (0, 1, 2, last)[i]
            expected = golden[f"gap/{data}_I_minus_A_pow_{power}"]
            actual = hierarchy_matrix(get_skeleton(layout), power, reverse)
            np.testing.assert_array_equal(actual, expected)
