"""The tuned text side against encoding the texts of every sample at full length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gap_mmaction.models import OpenCLIPTextEncoder, PromptBank
from gap_mmaction.models.text.text_encoder import Tokens

from .measure import compare

DATASETS = {"nwucla": "10 classes", "ntu120": "120 classes"}
BATCH = 16


def measure_text(
    model: str, datasets: Sequence[str], pairs: int, device: torch.device, amp: bool
) -> Iterator[dict[str, Any]]:
    """Compare forward and backward passes of a text tower with random weights.

    Args:
        model: A model of open_clip.
        datasets: Keys of :data:`DATASETS`, whose descriptions are encoded with the
            default preset, for 16 samples of random classes.
        pairs: How often each is timed.
        device: Where.
        amp: Whether under autocast to bfloat16.

    Yields:
        For each data set a summary, see
        :meth:`gap_mmaction.benchmark.measure.Comparison.summary`, with ``work`` and
        ``difference``, the largest one of the features relative to the largest.
    """
    torch.manual_seed(0)
    encoder = OpenCLIPTextEncoder(model, pretrained=None).to(device)
    for dataset in datasets:
        bank = PromptBank(f"data/descriptions/{dataset}.yaml", seed=0)
        labels = torch.randint(len(bank.labels), (BATCH,))
        tokens, ids = encoder.tokenize(bank.texts), bank.sample(labels)
        ours = DistinctTexts(encoder, tokens, ids, amp)
        other = EverySample(encoder, tokens, ids, amp)
        row = compare(ours, other, pairs, device).summary()
        with torch.no_grad():
            mine, theirs = ours.encode(), other.encode()
        difference = ((mine - theirs).abs().max() / theirs.abs().max()).item()
        work = f"{model}, {BATCH} samples, {DATASETS[dataset]}"
        yield dict(work=work, difference=difference, **row)


class DistinctTexts:
    """As :class:`~gap_mmaction.models.TextBranch` encodes the texts of a batch."""

    def __init__(
        self, encoder: OpenCLIPTextEncoder, tokens: Tokens, ids: Tensor, amp: bool
    ) -> None:
        self.encoder, self.tokens, self.ids, self.amp = encoder, tokens, ids, amp
        self.device = next(encoder.parameters()).device

    def encode(self) -> Tensor:
        """Give the features ``[B, K, D]``."""
        distinct, inverse = torch.unique(self.ids, return_inverse=True)
        features = self.encoder.encode_tokens(self.tokens, distinct)
        return features[inverse.to(self.device)]

    def __call__(self) -> None:
        """Go forward and backward."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.amp):
            features = self.encode()
        features.float().square().sum().backward()
        self.encoder.zero_grad(set_to_none=True)


class EverySample(DistinctTexts):
    """Each text of each sample by itself, padded to the tower's full length."""

    def encode(self) -> Tensor:
        """Give the features ``[B, K, D]``."""
        rows = self.ids.flatten()
        tokens = {name: v[rows].to(self.device) for name, v in self.tokens.items()}
        return self.encoder(tokens).view(*self.ids.shape, -1)
