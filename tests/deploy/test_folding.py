"""Folding of batch normalizations: the same scores, in the plain form."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gap_mmaction.deploy.folding import fold_batch_norms
from gap_mmaction.models.backbones.cpu import plain_path
from tests.deploy.models import BACKBONES, build, clips


@pytest.mark.parametrize("name", list(BACKBONES))
def test_same_scores(name: str) -> None:
    model = build(name).double()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    norms = sum(isinstance(module, _BatchNorm) for module in model.modules())
    folded, counts = fold_batch_norms(model)
    left = sum(isinstance(module, _BatchNorm) for module in folded.modules())
    assert counts == {"folded": norms - left, "left": left}
    assert counts["folded"] > 0
    x = clips().double().flatten(0, 1)
    with torch.no_grad(), plain_path():
        expected = model.cls_head(model.backbone(x))
        actual = folded.cls_head(folded.backbone(x))
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)
    # The model itself is as it was.
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_synchronized_normalizations() -> None:
    model = build("ctrgcn-authors").double()
    x = clips().double().flatten(0, 1)
    with torch.no_grad():
        expected = model.backbone(x)
        converted = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        actual = fold_batch_norms(converted)[0].backbone(x)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


def test_what_is_left_of_ctrgcn() -> None:
    folded, _ = fold_batch_norms(build("ctrgcn"))
    left = [n for n, m in folded.named_modules() if isinstance(m, _BatchNorm)]
    # The input, one behind each max-pooling, and the blocks around which there is no
    # convolution.
    assert left[0] == "backbone.data_bn"
    pooled = [f"backbone.net.{i}.tcn1.branches.2.4" for i in range(3)]
    assert set(left[1:]) == {*pooled, "backbone.net.2.gcn1.bn"}


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"call model\.eval"):
        fold_batch_norms(build("ctrgcn").train())
    norm = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)).eval()
    with pytest.raises(ValueError, match="no running statistics"):
        fold_batch_norms(norm)
