"""The setting that says layout and stream."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from gap_mmaction.models import SkeletonDataPreprocessor
from gap_mmaction.models.data_preprocessors import skeleton_data_preprocessor
from gap_mmaction.models.data_preprocessors.streams import hierarchy_matrix, to_stream
from gap_mmaction.skeletons import STREAMS, get_skeleton
from tests.models.text_common import raises


def _data(joints: int = 20, batch: int = 3) -> dict[str, list]:
    torch.manual_seed(0)
    return dict(
        inputs=[torch.randn(2, 1, 6, joints, 3) for _ in range(batch)],
        data_samples=[ActionDataSample().set_gt_label(i) for i in range(batch)],
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stream", STREAMS)
def test_batch(stream: str, training: bool) -> None:
    config = dict(type="SkeletonDataPreprocessor", layout="nw-ucla", stream=stream)
    data = _data()
    out = MODELS.build(config)(data, training)
    x, bones = torch.stack(data["inputs"]), get_skeleton("nw-ucla").bones
    assert out["inputs"].shape == (3, 2, 1, 6, 20, 3)
    torch.testing.assert_close(out["inputs"], to_stream(x, stream, bones))
    labels = [sample.gt_label.item() for sample in out["data_samples"]]
    assert labels == [0, 1, 2]


@pytest.mark.parametrize("stream", STREAMS)
def test_bones_of_the_public_implementation(stream: str) -> None:
    data, skeleton = _data(), get_skeleton("nw-ucla")
    x = torch.stack(data["inputs"])

    def streams(**options: Any) -> torch.Tensor:
        options |= dict(stream=stream, bone_form="hierarchy")
        preprocessor = SkeletonDataPreprocessor("nw-ucla", **options)
        assert not preprocessor.state_dict()
        return preprocessor(data)["inputs"]

    power = 1 if stream.startswith("bone") else 6
    matrix = hierarchy_matrix(skeleton, power, reverse=True)
    expected = to_stream(x, stream, skeleton.bones, matrix)
    torch.testing.assert_close(streams(), expected)
    if stream == "joint":
        expected = x.clone()
        expected[..., 2, :] -= x[..., [15, 19], :].sum(dim=-2)
        torch.testing.assert_close(streams(), expected)
    # With k = 0 and no reversal as the joints, with k = 1 nearly as the bones.
    joint = stream.replace("bone", "joint")
    same = streams(hierarchy_power=0, hierarchy_reverse=False)
    torch.testing.assert_close(same, to_stream(x, joint, skeleton.bones))
    bone = streams(hierarchy_power=1, hierarchy_reverse=False)
    plain = to_stream(x, joint.replace("joint", "bone"), skeleton.bones)
    rest = [i for i in range(20) if i != skeleton.centre]
    torch.testing.assert_close(bone[..., rest, :], plain[..., rest, :])


@pytest.mark.parametrize("form", ["difference", "hierarchy"])
def test_confidence_is_no_coordinate(form: str) -> None:
    preprocessor = SkeletonDataPreprocessor("coco", "bone", form)
    data = _data(joints=17)
    scores = torch.stack(data["inputs"])[..., 2]
    out = preprocessor(data)["inputs"]
    # The left wrist hangs on the left elbow, the nose is the centre.
    torch.testing.assert_close(out[..., 9, 2], (scores[..., 9] + scores[..., 7]) / 2)
    torch.testing.assert_close(out[..., 0, 2], scores[..., 0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bone_form": "matrix"}, ["bone_form='matrix'"]),
        ({"hierarchy_power": 2}, ["bone_form='hierarchy'"]),
        ({"hierarchy_reverse": False}, ["bone_form='hierarchy'"]),
        ({"bone_form": "hierarchy", "hierarchy_power": -1}, ["hierarchy_power=-1"]),
        ({"stream": "velocity"}, ["'velocity'"]),
        ({"layout": "body"}, ["'body'"]),
        ({"layout": "nturgb+d"}, ["20 joints", "'nturgb+d'", "25", "data_preprocess"]),
    ],
)
def test_bad_options(options: dict[str, Any], words: list[str]) -> None:
    with raises(ValueError, *words):
        SkeletonDataPreprocessor(**{"layout": "nw-ucla", **options})(_data())


def test_samples_of_several_shapes() -> None:
    data = _data()
    data["inputs"][1] = data["inputs"][1][..., :2]
    with pytest.raises(ValueError, match=r"6, 20, 3\], \[2, 1, 6, 20, 2\]\].*such as"):
        SkeletonDataPreprocessor("nw-ucla")(data)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    messages: list[str] = []
    monkeypatch.setattr(
        skeleton_data_preprocessor, "print_log", lambda text, *_: messages.append(text)
    )
    return messages


def test_first_batch_of_zeros_and_points(told: list[str]) -> None:
    data = _data()
    for i, sample in enumerate(data["data_samples"]):
        sample.set_metainfo({"frame_dir": f"clip{i}"})
    data["inputs"][0].zero_()
    # A second person who is not there is no corner of a body.
    data["inputs"][2] = torch.cat([data["inputs"][2] / 1e3 - 1, data["inputs"][0]], 1)
    data["inputs"][:2] = [torch.cat([x, x], 1) for x in data["inputs"][:2]]
    preprocessor = SkeletonDataPreprocessor("nw-ucla")
    for _ in range(2):
        preprocessor(data, True)
    assert len(told) == 1
    assert "2 of 3 clips" in told[0] and ": clip0, clip2." in told[0]


def test_first_batch_in_another_unit(told: list[str]) -> None:
    scales = {}
    for known, factor in ((None, 1), (1.0, 1), (1.0, 1000), (1.0, 0.01), (1.0, 0)):
        preprocessor = SkeletonDataPreprocessor("nw-ucla")
        preprocessor.input_scale = known
        data = _data()
        data["inputs"] = [factor * x for x in data["inputs"]]
        preprocessor(data)
        scales[known, factor] = preprocessor.input_scale
    assert scales[None, 1] == pytest.approx(1, abs=0.1)
    # Of resumed runs it stays what it was.
    assert scales[1.0, 1] == scales[1.0, 0] == 1.0
    assert "mean square of 1.01e+03" in told[0] and "millimetres" in told[0]
    assert len(told) == 3 and "as zeros" in told[2]
