"""How alike classes are."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from gap_mmaction.models.text.class_similarity import class_similarity, nearest_pairs
from gap_mmaction.models.text.prompt_bank import PromptBank
from tests.models.text_common import write_descriptions


def test_like_a_loop(tmp_path: Path) -> None:
    bank = PromptBank(write_descriptions(tmp_path))
    torch.manual_seed(0)
    features = torch.randn(len(bank.texts), 6)
    similarity = class_similarity(bank, features)
    assert similarity.shape == (5, 3, 3)
    for k in range(5):
        for a in range(3):
            for b in range(3):
                means = []
                for c in (a, b):
                    ids = bank.table[k, c, : bank.counts[k, c]]
                    means.append(F.normalize(features[ids], dim=1).mean(0))
                expected = F.cosine_similarity(means[0], means[1], dim=0)
                torch.testing.assert_close(similarity[k, a, b], expected)


def test_nearest_pairs() -> None:
    similarity = torch.tensor([[1.0, 0.2, 0.7], [0.2, 1.0, 0.9], [0.7, 0.9, 1.0]])
    pairs = nearest_pairs(similarity, 2)
    assert [(a, b) for a, b, _ in pairs] == [(1, 2), (0, 2)]
    assert len(nearest_pairs(similarity, 10)) == 3
