"""The setting that says layout and stream."""

from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from gap_mmaction.models import SkeletonDataPreprocessor
from gap_mmaction.models.data_preprocessors.streams import to_stream
from gap_mmaction.skeletons import STREAMS, get_skeleton


def _data(joints: int = 20, batch: int = 3) -> dict[str, list]:
    torch.manual_seed(0)
    return dict(
        inputs=[torch.randn(2, 1, 6, joints, 3) for _ in range(batch)],
        data_samples=[ActionDataSample().set_gt_label(i) for i in range(batch)],
    )


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("stream", STREAMS)
def test_batch(stream: str, training: bool) -> None:
    preprocessor = MODELS.build(
        dict(type="SkeletonDataPreprocessor", layout="nw-ucla", stream=stream)
    )
    data = _data()
    out = preprocessor(data, training)
    expected = to_stream(
        torch.stack(data["inputs"]), stream, get_skeleton("nw-ucla").bones
    )
    assert out["inputs"].shape == (3, 2, 1, 6, 20, 3)
    torch.testing.assert_close(out["inputs"], expected)
    labels = [sample.gt_label.item() for sample in out["data_samples"]]
    assert labels == [0, 1, 2]


def test_layout_as_a_dict() -> None:
    layout = dict(num_node=3, inward=[(1, 0), (2, 1)], center=0)
    preprocessor = SkeletonDataPreprocessor(layout, stream="bone")
    out = preprocessor(_data(joints=3))["inputs"]
    assert torch.equal(out[..., 0, :], torch.zeros_like(out[..., 0, :]))


def test_other_number_of_joints() -> None:
    preprocessor = SkeletonDataPreprocessor("nturgb+d")
    with pytest.raises(ValueError) as error:
        preprocessor(_data(joints=20))
    for word in ("20 joints", "'nturgb+d'", "25", "model.data_preprocessor"):
        assert word in str(error.value)


def test_unknown_names() -> None:
    with pytest.raises(ValueError, match="stream 'velocity' is unknown"):
        SkeletonDataPreprocessor("coco", stream="velocity")
    with pytest.raises(ValueError, match="layout 'body' is unknown"):
        SkeletonDataPreprocessor("body")
