"""What every text encoder offers to the text branch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

Tokens = dict[str, Tensor]


class TextEncoder(nn.Module, ABC):
    """Base of the encoders.

    A frozen encoder computes the features of all texts once, by :meth:`encode`, and is
    let go. A tuned one has its parameters from the start, so that the optimizer sees
    them, reads its pretrained weights in :meth:`init_weights`, and computes the texts
    of each batch by :meth:`forward`.

    Args:
        embed_dims: Width D of the features.
        frozen: Whether the encoder stays as it is.
    """

    def __init__(self, embed_dims: int, frozen: bool) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.frozen = frozen

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Compute the features ``[len(texts), D]`` of texts, without gradients."""

    @abstractmethod
    def init_weights(self) -> None:
        """Read the pretrained weights; called for training only."""


class TransformerTextEncoder(TextEncoder):
    """Base of the encoders that run a transformer."""

    batch_size = 256

    @property
    @abstractmethod
    def token_embedding(self) -> nn.Embedding:
        """The module that turns token numbers into vectors."""

    @property
    @abstractmethod
    def context_length(self) -> int:
        """The most tokens that a text can have, start and end included."""

    @abstractmethod
    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Turn texts into tokens, each ``[len(texts), L]``, ``mask`` among them.

        ``mask`` is 1 on the tokens of a text and 0 on the padding after it.
        """

    @abstractmethod
    def forward(self, tokens: Tokens) -> Tensor:
        """Compute the features ``[N, D]`` of tokens ``[N, L]``, with gradients."""

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Compute the features of texts in evaluation mode.

        Args:
            texts: Any number of texts.

        Returns:
            ``[len(texts), D]``, float32, on the encoder's device.
        """
        training = self.training
        self.eval()
        tokens = self.tokenize(texts)
        device = next(self.parameters()).device
        features = []
        for start in range(0, len(texts), self.batch_size):
            rows = torch.arange(start, min(start + self.batch_size, len(texts)))
            batch = select_tokens(tokens, rows)
            features.append(
                self({name: value.to(device) for name, value in batch.items()})
            )
        self.train(training)
        return torch.cat(features).float()


def select_tokens(tokens: Tokens, rows: Tensor) -> Tokens:
    """Take rows of tokens and cut them to the longest text among them.

    Args:
        tokens: ``[N, L]`` each.
        rows: Indices ``[U]``.

    Returns:
        ``[U, L']`` each.
    """
    length = int(tokens["mask"][rows].sum(1).max())
    return {name: value[rows, :length] for name, value in tokens.items()}
