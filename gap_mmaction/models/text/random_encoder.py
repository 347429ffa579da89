"""RandomTextEncoder: vectors without meaning in place of text features."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from mmaction.registry import MODELS
from torch import Tensor
from torch.nn import functional as F

from gap_mmaction.utils.randomness import derive_seed

from .text_encoder import TextEncoder


@MODELS.register_module()
class RandomTextEncoder(TextEncoder):
    """A frozen encoder that knows no language, as a control of what language adds.

    Args:
        embed_dims: Width D of the features.
        seed: A text's random direction depends on the seed and the text alone.
    """

    def __init__(self, embed_dims: int, seed: int = 0) -> None:
        super().__init__(embed_dims, frozen=True)
        self.seed = seed

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Returns unit vectors ``[len(texts), D]``."""
        rows = []
        for text in texts:
            seed = derive_seed(self.seed, *hashlib.sha256(text.encode()).digest())
            rows.append(np.random.default_rng(seed).normal(size=self.embed_dims))
        return F.normalize(torch.from_numpy(np.stack(rows)).float(), dim=1)
