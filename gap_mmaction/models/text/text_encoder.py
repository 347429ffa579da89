"""What every text encoder offers to the text branch."""

from __future__ import annotations

import functools
import hashlib
import inspect
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gap_mmaction.openmmlab import MODELS, print_log
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.config_parts import check_keys, did_you_mean
from gap_mmaction.utils.randomness import derive_seed
from gap_mmaction.utils.sending import send_together

Tokens = dict[str, Tensor]


class TextEncoder(nn.Module, ABC):
    """Base of the encoders.

    A frozen one computes the features of all texts once, by :meth:`encode`. A tuned one
    has its parameters from the start, for the optimizer, reads their pretrained values
    in :meth:`init_weights`, and computes the texts of each batch by :meth:`forward`.

    ``embed_dims`` is the width D of the features.
    """

    can_be_frozen = True

    def __init__(self, embed_dims: int, frozen: bool) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.frozen = frozen

    @abstractmethod
    def encode(self, texts: Sequence[str]) -> Tensor:
        """Returns the features ``[len(texts), D]`` of texts, without gradients."""

    def init_weights(self) -> None:
        """Reads the pretrained weights, if there are any; called for training only."""


@MODELS.register_module()
class RandomTextEncoder(TextEncoder):
    """A frozen encoder that knows no language, as a control of what language adds.

    A text's direction depends on ``seed`` and the text alone.
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


class TransformerTextEncoder(TextEncoder):
    """Base of the encoders that run a transformer."""

    batch_size = 256
    bucket_size = 8
    pad_to: Sequence[int] | None = None

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
        """Returns tokens, each ``[len(texts), L]``: ``ids``, ``mask`` and maybe more.

        ``mask`` is 1 on the tokens of a text and 0 on the padding after it.
        """

    @abstractmethod
    def forward(self, tokens: Tokens) -> Tensor:
        """Returns the features ``[N, D]`` of tokens ``[N, L]``, with gradients."""

    def whole_tokens(
        self, texts: Sequence[str], name: Callable[[str], str] = brief
    ) -> Tokens:
        """Returns tokens as :meth:`tokenize`, and warns of texts that do not fit.

        ``name`` says how messages call a text. Texts that differ only in what is cut
        off are a ValueError.
        """
        tokens = self.tokenize(texts)
        ids, lengths = tokens["ids"], tokens["mask"].sum(1)
        limit = int(lengths.max())
        longest = (lengths == limit).nonzero()[:, 0].tolist()
        # Cut are those that are the same without their last word.
        words = [texts[i].rstrip() for i in longest]
        shorter = self.tokenize([w.rpartition(" ")[0] or w[:-1] for w in words])
        cut = [
            i
            for i, mask, part in zip(longest, shorter["mask"], shorter["ids"])
            if int(mask.sum()) == limit and torch.equal(part[:limit], ids[i, :limit])
        ]
        if cut:
            reads = f"{type(self).__name__} reads {limit} tokens of a text"
            seen: dict[tuple[int, ...], str] = {}
            for i in (*cut, *longest):
                twin = seen.setdefault(tuple(ids[i, :limit].tolist()), texts[i])
                if twin != texts[i]:
                    raise ValueError(
                        f"{reads}, and {name(twin)} and {name(texts[i])} differ only "
                        "after these: shorten them, or take another encoder or preset"
                    )
            print_log(
                f"{reads}: {len(cut)} of {len(texts)} are cut, the first of them is "
                f"{name(texts[cut[0]])}",
                logger="current",
                level=logging.WARNING,
            )
        return tokens

    @torch.no_grad()
    def encode(
        self, texts: Sequence[str], name: Callable[[str], str] = brief
    ) -> Tensor:
        """Returns features ``[len(texts), D]`` in float32, on the encoder's device."""
        training = self.training
        self.eval()
        tokens = self.whole_tokens(texts, name)
        rows = torch.arange(len(texts)).split(self.batch_size)
        features = [self.encode_tokens(tokens, batch) for batch in rows]
        self.train(training)
        return torch.cat(features).float()

    def encode_tokens(self, tokens: Tokens, rows: Tensor) -> Tensor:
        """Returns the features ``[U, D]`` of some texts, see :meth:`prepare`."""
        return self.prepare(tokens, rows)()

    def prepare(self, tokens: Tokens, rows: Tensor) -> Callable[[], Tensor]:
        """Sends some texts to the device; returns what computes their features.

        Texts of like length, within ``bucket_size`` tokens, go through the transformer
        together. As features do not depend on padding, they are those of one pass:
        ``[U, D]``, with gradients. ``tokens`` are those of all texts, ``rows`` the
        indices ``[U]`` of those wanted, both on the CPU.

        With ``pad_to``, two numbers, there is one batch of few shapes instead: texts
        and tokens are filled up to multiples of them.
        """
        if self.pad_to is not None:
            return self._prepare_padded(tokens, rows, *self.pad_to)
        buckets = (tokens["mask"][rows].sum(1) - 1) // self.bucket_size
        order = buckets.argsort(stable=True)
        sizes = buckets.unique(return_counts=True)[1].tolist()
        batches = [select_tokens(tokens, part) for part in rows[order].split(sizes)]
        values = [value for batch in batches for value in batch.values()]
        values.append(order.argsort())
        sent = iter(send_together(values, next(self.parameters()).device))
        batches = [{name: next(sent) for name in batch} for batch in batches]
        return functools.partial(self._encode_batches, batches, next(sent))

    def _prepare_padded(
        self, tokens: Tokens, rows: Tensor, texts: int, length: int
    ) -> Callable[[], Tensor]:
        longest = int(tokens["mask"][rows].sum(1).max())
        repeated = rows[:1].expand(-len(rows) % texts)
        filled, columns = torch.cat([rows, repeated]), longest + -longest % length
        values = [value[filled, :columns] for value in tokens.values()]
        sent = send_together(values, next(self.parameters()).device)
        batch, wanted = dict(zip(tokens, sent)), len(rows)
        return lambda: self(batch)[:wanted]

    def _encode_batches(self, batches: list[Tokens], order: Tensor) -> Tensor:
        return F.embedding(order, torch.cat([self(batch) for batch in batches]))


def select_tokens(tokens: Tokens, rows: Tensor) -> Tokens:
    """Returns rows ``[U]`` of tokens, cut to the longest text among them."""
    length = int(tokens["mask"][rows].sum(1).max())
    return {name: value[rows, :length] for name, value in tokens.items()}


def build_frozen_encoder(
    config: Mapping[str, Any], device: str | torch.device = "cpu"
) -> TextEncoder:
    """Builds a text encoder by its config, frozen, and reads its weights.

    A ValueError is raised if there is none of the name or it cannot encode untrained, a
    RuntimeError if its weights cannot be had.
    """
    kinds = [(n, m) for n, m in MODELS.module_dict.items() if isinstance(m, type)]
    known = {name: kind for name, kind in kinds if issubclass(kind, TextEncoder)}
    found = known.get(config["type"], config["type"])
    if isinstance(found, str):
        hint = did_you_mean(found, known)
        raise ValueError(
            f"there is no text encoder {found!r}{hint}; use one of {list(known)}"
        )
    if not found.can_be_frozen:
        raise ValueError(
            f"a {found.__name__} is trained with the recognizer: its texts have no "
            "features beforehand; give the encoder inside it"
        )
    arguments = {k: v for k, v in config.items() if k not in ("type", "frozen")}
    if "frozen" in inspect.signature(found).parameters:
        arguments["frozen"] = True
    check_keys(found, arguments, f"options of {found.__name__}")
    encoder: TextEncoder = found(**arguments).to(device)
    encoder.init_weights()
    return encoder
