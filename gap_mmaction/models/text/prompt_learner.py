"""PromptLearner: learned vectors before the label's tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gap_mmaction.openmmlab import MODELS
from gap_mmaction.utils.brief import brief

from .text_encoder import Tokens, TransformerTextEncoder


@MODELS.register_module()
class PromptLearner(TransformerTextEncoder):
    """Another encoder with learned context vectors between start and label.

    The baseline of GAP's Table 1f, after CoOp (Zhou et al., IJCV 2022): a text becomes
    ``[start] v_1 ... v_n label [end]``. Use it with the preset ``label``. The vectors
    are trained with the recognizer; so is the encoder, unless it is ``frozen``.

    Args:
        encoder: Config of an :class:`OpenCLIPTextEncoder` or :class:`HFTextEncoder`.
        num_context: Number n of context vectors.
        num_texts: The number of texts (of classes, with the preset ``label``) for
            vectors of their own for each text. ``None`` shares them.
    """

    can_be_frozen = False

    def __init__(
        self, encoder: dict, num_context: int = 16, num_texts: int | None = None
    ) -> None:
        text_encoder = MODELS.build(encoder)
        if not isinstance(text_encoder, TransformerTextEncoder):
            raise TypeError(
                f"PromptLearner: {type(text_encoder).__name__} has no tokens; set "
                "model.text_branch.encoder.encoder to another text encoder"
            )
        limit = text_encoder.context_length - 3
        if not 1 <= num_context <= limit:
            raise ValueError(
                f"PromptLearner: num_context is {num_context}; with start, end and a "
                f"label {encoder['type']} has room for 1 to {limit}"
            )
        if num_texts is not None and num_texts < 1:
            raise ValueError(f"PromptLearner: num_texts is {num_texts}, at least 1")
        super().__init__(text_encoder.embed_dims, frozen=False)
        self.encoder = text_encoder
        self.num_context = num_context
        own = () if num_texts is None else (num_texts,)
        width = text_encoder.token_embedding.embedding_dim
        # Shared or of each text; CoOp's start.
        self.context = nn.Parameter(0.02 * torch.randn(*own, num_context, width))
        if text_encoder.frozen:
            text_encoder.requires_grad_(False)
            text_encoder.eval()

    @property
    def token_embedding(self) -> nn.Embedding:
        """The encoder's own."""
        return self.encoder.token_embedding

    @property
    def context_length(self) -> int:
        """Tokens that are left for a text."""
        return self.encoder.context_length - self.num_context

    def init_weights(self) -> None:
        """Reads the encoder's pretrained weights."""
        self.encoder.init_weights()

    def train(self, mode: bool = True) -> PromptLearner:
        """Switches to training; a fixed encoder stays in evaluation mode."""
        super().train(mode)
        if self.encoder.frozen:
            self.encoder.eval()
        return self

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Returns ``ids`` and ``mask`` with room for the context.

        ``text`` among them is the number of each text, ``[len(texts), 1]``.
        """
        if self.context.ndim == 3 and len(texts) != len(self.context):
            raise ValueError(
                f"PromptLearner: num_texts is {len(self.context)}, but the prompts "
                f"have {len(texts)} texts. Set prompts.preset='label' and num_texts to "
                "the number of classes, or num_texts=None for shared vectors"
            )
        tokens = self.encoder.tokenize(texts)
        ids, mask = tokens["ids"], tokens["mask"]
        length, longest = (int(found) for found in mask.sum(1).max(0))
        if length > self.context_length:
            raise ValueError(
                f"PromptLearner: {texts[longest]!r} has {length} tokens, and with "
                f"num_context={self.num_context} there is room for "
                f"{self.context_length}. Use the preset `label` or fewer vectors; a "
                "tower that reads its padding as text, as SigLIP's, has no room at all"
            )
        # Any token that is neither end nor padding keeps the vectors' places.
        room = ids[:, 1:2].expand(-1, self.num_context)
        seen = mask[:, :1].expand(-1, self.num_context)
        limit = self.encoder.context_length
        return {
            "ids": torch.cat([ids[:, :1], room, ids[:, 1:]], 1)[:, :limit],
            "mask": torch.cat([mask[:, :1], seen, mask[:, 1:]], 1)[:, :limit],
            "text": torch.arange(len(texts))[:, None],
        }

    def whole_tokens(
        self, texts: Sequence[str], name: Callable[[str], str] = brief
    ) -> Tokens:
        """Returns :meth:`tokenize`, which cuts none."""
        return self.tokenize(texts)

    def forward(self, tokens: Tokens) -> Tensor:
        """Returns the features ``[N, D]`` of tokens with the context in its place."""
        context: Tensor = self.context
        if context.ndim == 3:
            context = context[tokens["text"][:, 0]]

        def insert(module: nn.Module, args: Any, embedded: Tensor) -> Tensor:
            rows = context.to(embedded.dtype).expand(len(embedded), -1, -1)
            end = 1 + self.num_context
            return torch.cat([embedded[:, :1], rows, embedded[:, end:]], 1)

        handle = self.token_embedding.register_forward_hook(insert)
        try:
            return self.encoder({"ids": tokens["ids"], "mask": tokens["mask"]})
        finally:
            handle.remove()
