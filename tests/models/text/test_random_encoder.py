"""Random vectors in place of text features."""

from __future__ import annotations

import torch
from mmaction.registry import MODELS


def test_direction_of_a_text() -> None:
    encoder = MODELS.build({"type": "RandomTextEncoder", "embed_dims": 64, "seed": 3})
    encoder.init_weights()
    features = encoder.encode(["throw", "sit down"])
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2))
    assert abs(float(features[0] @ features[1])) < 0.5
    # Other texts play no part, the seed does.
    assert torch.equal(encoder.encode(["run", "throw"])[1], features[0])
    encoder.seed = 4
    assert not torch.allclose(encoder.encode(["throw"])[0], features[0])
    assert encoder.frozen and not list(encoder.parameters())
