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

    Each text has a random direction, which depends on the seed and the text alone. All
    else of the text branch stays: parts, projection, loss.

    Args:
        embed_dims: Width D of the features.
        seed: Seed of the draw. Defaults to 0.
    """

    def __init__(self, embed_dims: int, seed: int = 0) -> None:
        super().__init__(embed_dims, frozen=True)
        self.seed = seed

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Draw unit vectors ``[len(texts), D]``."""
        digests = [hashlib.sha256(text.encode()).digest() for text in texts]
        rows = [
            np.random.default_rng(derive_seed(self.seed, *digest)).normal(
                size=self.embed_dims
            )
            for digest in digests
        ]
        return F.normalize(torch.from_numpy(np.stack(rows)).float(), dim=1)

    def init_weights(self) -> None:
        """Do nothing: there are no weights."""
