"""The baseline of CTR-GCN: golden file, training and errors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gap_mmaction.models import CTRBaseline
from tests.models.backbones_common import (
    SMALL,
    SMALL_LAYOUT,
    SMALL_PLAIN,
    check_authors_golden,
    check_training,
    check_two_forwards,
)
from tests.models.plain_gcn import PlainGCN


def _small() -> CTRBaseline:
    return CTRBaseline(dict(layout=SMALL_LAYOUT), base_channels=8, **SMALL)


def test_golden(shared: Path) -> None:
    backbone = dict(
        type="CTRBaseline", graph_cfg=dict(layout="nturgb+d"), base_channels=16
    )
    plain = PlainGCN("baseline", 25, 2, 16)
    check_authors_golden(shared, "baseline_authors", backbone, plain)


def test_training_like_plain() -> None:
    check_training(_small(), PlainGCN("baseline", width=8, **SMALL_PLAIN))


def test_two_forwards() -> None:
    check_two_forwards(_small(), torch.randn(2, 2, 8, 5, 3))


def test_topologies_start_as_identities() -> None:
    topologies = [v for k, v in _small().named_parameters() if k.endswith("gcn1.A")]
    assert len(topologies) == 4
    for topology in topologies:
        assert torch.equal(topology, torch.eye(5).repeat(3, 1, 1))


def test_other_data() -> None:
    with pytest.raises(ValueError, match=r"\(2, 5, 3\).*\(2, 25, 3\)"):
        _small()(torch.rand(2, 2, 8, 25, 3))


def test_unknown_layout() -> None:
    with pytest.raises(ValueError, match="'ntu' is unknown"):
        CTRBaseline(dict(layout="ntu"))
