"""OpenCLIPTextEncoder: the text tower of a CLIP model."""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn
from torch.func import functional_call

from gap_mmaction import compat
from gap_mmaction.openmmlab import MODELS
from gap_mmaction.utils.checkpoint_reader import named_errors
from gap_mmaction.utils.dependency import import_optional, offline_error

from .causal_tower import PrefixTree, encode_prefix_tree, is_plain_causal
from .text_encoder import Tokens, TransformerTextEncoder, select_tokens


@MODELS.register_module()
class OpenCLIPTextEncoder(TransformerTextEncoder):
    """The text tower of a CLIP model of open_clip; its image tower is never built.

    GAP, section 3.3 and Table 1c: ``ViT-B-32``, ``ViT-B-16`` and ``ViT-L-14`` with
    OpenAI's weights are its XFMR-32, -16 and -14.

    Args:
        model: A model name of open_clip.
        pretrained: A tag of open_clip (``'openai'``), a file with a CLIP state dict,
            or ``None`` for random weights.
        frozen: Whether the encoder stays as it is.
        gradient_checkpointing: Whether to save memory at the cost of time.
        quick_gelu: Whether the weights were trained with OpenAI's approximation of the
            GELU. A tag says so by itself; a file of OpenAI's weights needs ``True``.
        pad_to: Multiples to which the texts of a batch and their tokens are filled up,
            such as ``(32, 16)``, for batches of few shapes; by default their common
            beginnings are computed once, which is less work.
    """

    def __init__(
        self,
        model: str = "ViT-B-32",
        pretrained: str | None = "openai",
        frozen: bool = False,
        gradient_checkpointing: bool = False,
        quick_gelu: bool | None = None,
        pad_to: Sequence[int] | None = None,
    ) -> None:
        open_clip = _open_clip()
        config = open_clip.get_model_config(model)
        if config is None:
            raise ValueError(
                f"open_clip knows no model {model!r}; see open_clip.list_models()"
            )
        text_config = open_clip.model.CLIPTextCfg(**config["text_cfg"])
        if text_config.hf_model_name:
            raise ValueError(
                f"the text side of open_clip's {model!r} is transformers' "
                f"{text_config.hf_model_name!r}; use HFTextEncoder with it"
            )
        # Some models return the tokens' features too.
        text_config.output_tokens = False
        super().__init__(config["embed_dim"], frozen)
        self.pad_to = pad_to
        # A feature is independent of what follows the end token only where tokens see
        # the past alone and the end token is the one that is read.
        sees_all = text_config.no_causal_mask or text_config.embed_cls
        self.can_cut = not sees_all and text_config.pool_type == "argmax"
        self.model_name = model
        self.pretrained = pretrained
        tag: dict[str, Any] = {}
        if pretrained is not None and not Path(pretrained).is_file():
            tag = open_clip.get_pretrained_cfg(model, pretrained)
            if not tag:
                tags = open_clip.list_pretrained_tags_by_model(model)
                raise ValueError(
                    f"{pretrained!r} is neither a file nor a tag of {model!r}: {tags}"
                )
        if quick_gelu is None:
            quick_gelu = bool(config.get("quick_gelu") or tag.get("quick_gelu"))
        width = config["embed_dim"]
        self.tower = compat.open_clip_text_tower(width, text_config, quick_gelu)
        if gradient_checkpointing:
            self.tower.set_grad_checkpointing(True)
        self._tokenizer: Any = None

    @property
    def token_embedding(self) -> nn.Embedding:
        """The tower's token embeddings."""
        return self.tower.token_embedding

    @property
    def context_length(self) -> int:
        """The tower's, 77 for CLIP."""
        return self.tower.context_length

    def init_weights(self) -> None:
        """Reads the weights; a RuntimeError without them, a ValueError for others."""
        if self.pretrained is None:
            return
        open_clip, path = _open_clip(), self.pretrained
        if not Path(path).is_file():
            tag = open_clip.get_pretrained_cfg(self.model_name, path)
            try:
                path = open_clip.download_pretrained(tag)
            except (OSError, RuntimeError) as error:
                what = f"{self.model_name} ({path})"
                raise offline_error("OpenCLIPTextEncoder", what, error) from error
        try:
            with named_errors(path):
                state = open_clip.factory.load_state_dict(path, weights_only=True)
        except (OSError, pickle.UnpicklingError) as error:
            raise ValueError(
                f"{path} holds no state dict that can be read ({error}); give weights "
                "as open_clip or torch.save writes them, or a tag of open_clip"
            ) from error
        own = self.tower.state_dict()
        found = {name: state.get(f"text.{name}", state.get(name)) for name in own}
        wrong = [
            name
            for name, value in found.items()
            if not isinstance(value, Tensor) or value.shape != own[name].shape
        ]
        if wrong:
            raise ValueError(
                f"{path} does not hold the text tower of {self.model_name}: "
                f"{len(wrong)} of {len(own)} tensors are missing or of another shape, "
                f"the first is {wrong[0]!r}. Set `model` to the one the file is of"
            )
        self.tower.load_state_dict(found)

    def tokenize(self, texts: Sequence[str]) -> Tokens:
        """Returns ``ids`` and ``mask``, ``[len(texts), L]`` each."""
        if self._tokenizer is None:
            self._tokenizer = _open_clip().get_tokenizer(self.model_name)
        ids = self._tokenizer(list(texts))
        mask = ids.new_ones(ids.shape)
        if self.can_cut:
            # The end token has the largest id; what follows it is padding.
            is_end = (ids == ids.amax(1, keepdim=True)).long()
            mask[:, 1:] = 1 - is_end.cumsum(1)[:, :-1]
        return {"ids": ids, "mask": mask}

    def prepare(self, tokens: Tokens, rows: Tensor) -> Callable[[], Tensor]:
        """Does as the base class, at the cost of a PrefixTree."""
        can_share = self.can_cut and is_plain_causal(self.tower)
        if self.pad_to is not None or not can_share:
            return super().prepare(tokens, rows)
        tokens = select_tokens(tokens, rows)
        lengths = tokens["mask"].sum(1)
        device = self.token_embedding.weight.device
        tree = PrefixTree(tokens["ids"], lengths, device, self.bucket_size)
        return functools.partial(encode_prefix_tree, self.tower, tree)

    def forward(self, tokens: Tokens) -> Tensor:
        """Returns the features ``[N, D]``, the end token's, projected."""
        ids = tokens["ids"]
        if not self.can_cut:
            return self.tower(ids)
        # open_clip does not cut its causal mask to shorter texts.
        length = ids.shape[1]
        mask = self.tower.attn_mask[:length, :length]
        return functional_call(self.tower, {"attn_mask": mask}, (ids,))


def _open_clip() -> ModuleType:
    """Returns open_clip; no encoder keeps it, as a module cannot be copied."""
    return import_optional("open_clip", "open_clip_torch")
