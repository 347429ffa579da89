"""ClipScorer: what tools/test.py computes, as one function."""

from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample

from gap_mmaction.deploy.clip_scorer import (
    AVERAGES,
    ClipScorer,
    joints_of,
    person_limit,
)
from gap_mmaction.deploy.export import (
    compare_scorers,
    recognizer_scorer,
    with_fewer_persons,
)
from gap_mmaction.skeletons import STREAMS, get_skeleton, layouts
from tests.deploy.models import BACKBONES, CLASSES, build, clips


@pytest.mark.parametrize("form", ["difference", "hierarchy"])
@pytest.mark.parametrize("layout", layouts())
@pytest.mark.parametrize("stream", STREAMS)
def test_scores_of_a_test_step(stream: str, layout: str, form: str) -> None:
    model = build("ctrgcn", stream, form, graph_cfg=dict(layout=layout))
    x = clips(number=2, joints=get_skeleton(layout).num_joints)
    batch = dict(inputs=list(x), data_samples=[ActionDataSample() for _ in x])
    with torch.no_grad():
        samples = model.test_step(batch)
        expected = torch.stack([sample.pred_score for sample in samples])
        torch.testing.assert_close(ClipScorer(model)(x), expected)
    torch.testing.assert_close(recognizer_scorer(model, "prob")(x), expected)


def test_averages() -> None:
    model, x = build("ctrbaseline"), clips(number=2)
    for average in AVERAGES:
        with torch.no_grad():
            scores = ClipScorer(model, average)(x)
        torch.testing.assert_close(scores, recognizer_scorer(model, average)(x))
        assert scores.shape == ((3, 2, CLASSES) if average == "none" else (3, CLASSES))


@pytest.mark.parametrize("name", list(BACKBONES))
def test_persons(name: str) -> None:
    model = build(name)
    free = name in ("stgcn", "stgcnpp")
    assert person_limit(model.backbone) == (None if free else 2)
    assert joints_of(model.backbone) == 25
    scorer = ClipScorer(model)
    pairs = list(with_fewer_persons(clips(), scorer.persons))
    assert [few.shape[2] for _, few in pairs] == [1]
    parity = compare_scorers(recognizer_scorer(model, "prob"), scorer, pairs)
    assert parity.samples == 3 and parity.holds(1e-6)
    if not free:
        with torch.no_grad(), pytest.raises(RuntimeError):
            scorer(torch.zeros(1, 1, 3, 8, 25, 3))


def test_parity_tells_models_apart() -> None:
    model, other = build("ctrgcn"), build("ctrgcn")
    torch.nn.init.normal_(other.cls_head.fc.weight)
    reference, x = recognizer_scorer(model, "prob"), clips()
    parity = compare_scorers(reference, recognizer_scorer(other, "prob"), [(x, x)])
    assert not parity.holds(1e-3)
    assert not compare_scorers(reference, reference, []).holds(1e-3)
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
    with pytest.raises(ValueError, match="use one of"):
        ClipScorer(build("stgcn"), "mean")
