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
    bucket_size = 8

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
        rows = torch.arange(len(texts)).split(self.batch_size)
        features = [self.encode_tokens(tokens, batch) for batch in rows]
        self.train(training)
        return torch.cat(features).float()

    def encode_tokens(self, tokens: Tokens, rows: Tensor) -> Tensor:
        """Compute the features of some texts, each with little padding.

        Texts of like length, within ``bucket_size`` tokens, go through the transformer
        together. The features are those of one pass over all of them, since they do
        not depend on padding.

        Args:
            tokens: Of all texts, as :meth:`tokenize` gives them.
            rows: Indices ``[U]`` of those wanted.

        Returns:
            ``[U, D]``, with gradients, on the encoder's device.
        """
        device = next(self.parameters()).device
        rows = rows.cpu()
        buckets = (tokens["mask"][rows].sum(1) + self.bucket_size - 1).div(
            self.bucket_size, rounding_mode="floor"
        )
        order = buckets.argsort(stable=True)
        sizes = buckets.unique(return_counts=True)[1].tolist()
        features = []
        for part in rows[order].split(sizes):
            batch = select_tokens(tokens, part)
            features.append(
                self({name: value.to(device) for name, value in batch.items()})
            )
        return torch.cat(features)[order.argsort().to(device)]


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
