"""ClipScorer: what tools/test.py computes, as one function, also when it is folded."""

from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from gap_mmaction.deploy.clip_scorer import AVERAGES, ClipScorer, person_limit
from gap_mmaction.deploy.export import compare_scorers, recognizer_scorer
from gap_mmaction.deploy.folding import fold_batch_norms
from gap_mmaction.models.backbones import plain_path
from gap_mmaction.skeletons import STREAMS, get_skeleton, layouts
from tests.deploy.models import BACKBONES, build, clips


@pytest.mark.parametrize("layout", layouts())
@pytest.mark.parametrize("stream", STREAMS)
def test_scores_of_a_test_step(stream: str, layout: str) -> None:
    model = build("ctrgcn", stream, graph_cfg=dict(layout=layout))
    x = clips(number=2, joints=get_skeleton(layout).num_joints)
    batch = dict(inputs=list(x), data_samples=[ActionDataSample() for _ in x])
    with torch.no_grad():
        samples = model.test_step(batch)
        expected = torch.stack([sample.pred_score for sample in samples])
        torch.testing.assert_close(ClipScorer(model)(x), expected)
    for average in AVERAGES:
        with torch.no_grad():
            scores = ClipScorer(model, average)(x)
        torch.testing.assert_close(scores, recognizer_scorer(model, average)(x))


def test_parity_tells_models_apart() -> None:
    model, other = build("ctrgcn"), build("ctrgcn")
    torch.nn.init.normal_(other.cls_head.fc.weight)
    reference, x = recognizer_scorer(model, "prob"), clips()
    parity = compare_scorers(reference, recognizer_scorer(other, "prob"), [(x, x)])
    assert not parity.holds(1e-3)
    broken = compare_scorers(reference, lambda c: reference(c) * float("nan"), [(x, x)])
    assert not broken.holds(1e9)


def test_other_preprocessors() -> None:
    model = build("stgcn")
    model.data_preprocessor = MODELS.build(dict(type="ActionDataPreprocessor"))
    ClipScorer(model)
    scaled = dict(type="ActionDataPreprocessor", mean=[0.0] * 3, std=[1.0] * 3)
    model.data_preprocessor = MODELS.build(scaled)
    with pytest.raises(ValueError, match="settings of its own"):
        ClipScorer(model)


@pytest.mark.parametrize("name", list(BACKBONES))
def test_folding_keeps_the_scores(name: str) -> None:
    model = build(name).double()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    norms = sum(isinstance(module, _BatchNorm) for module in model.modules())
    folded, counts = fold_batch_norms(model)
    left = sum(isinstance(module, _BatchNorm) for module in folded.modules())
    assert counts == {"folded": norms - left, "left": left}
    assert counts["folded"] > 0
    free = name in ("stgcn", "stgcnpp")
    assert person_limit(model.backbone) == (None if free else 2)
    x = clips().double().flatten(0, 1)
    with torch.no_grad(), plain_path():
        expected = model.cls_head(model.backbone(x))
        actual = folded.cls_head(folded.backbone(x))
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)
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


def test_refused() -> None:
    with torch.no_grad(), pytest.raises(RuntimeError):
        ClipScorer(build("ctrgcn"))(torch.zeros(1, 1, 3, 8, 25, 3))
    with pytest.raises(ValueError, match=r"call model\.eval"):
        fold_batch_norms(build("ctrgcn").train())
    norm = nn.Sequential(nn.BatchNorm2d(3, track_running_stats=False)).eval()
    with pytest.raises(ValueError, match="no running statistics"):
        fold_batch_norms(norm)
