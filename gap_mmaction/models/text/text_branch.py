"""TextBranch: language supervision of a skeleton backbone's feature map."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from gap_mmaction.openmmlab import MODELS, print_log
from gap_mmaction.skeletons import Layout
from gap_mmaction.utils.ranks import gather_from_ranks
from gap_mmaction.utils.sending import send_together

from ..heads import PartPoolingHead, TrainingBranch
from ..losses import MultiPartContrastiveLoss
from .cached_encoder import CachedTextEncoder
from .prompt_bank import PromptBank
from .prompt_learner import PromptLearner
from .text_encoder import TextEncoder, Tokens, TransformerTextEncoder


class TextBatch(NamedTuple):
    """The texts of a batch of clips, drawn and sent to the device."""

    labels: Tensor
    rows: Tensor  # of the texts' features, [B, K]
    compute: Callable[[], Tensor] | None = None  # these, of a tuned encoder


@MODELS.register_module()
class TextBranch(TrainingBranch):
    """What GAP adds to a recognizer, in training only (GAP, sections 3.1 to 3.4).

    The feature map is pooled over the joints of each prompt slot and projected; the
    sample's label gives a text per slot, and the encoder its features; the contrastive
    loss compares both over the batches of all ranks. A frozen encoder is run once, over
    every text of the prompt bank; a tuned one sees each distinct text of a batch once.

    Args:
        prompts: Config of the :class:`PromptBank`.
        in_channels: Channels of the feature map.
        layout: Layout of the skeletons, ``stream`` is theirs too.
        encoder: The text encoder or its config; not built if ``features`` are given.
        features: A file for the :class:`CachedTextEncoder`.
        num_classes: Number of classes, for a check of the descriptions.
        head: Config of the :class:`PartPoolingHead`, beyond the other arguments.
        loss: Config of the :class:`MultiPartContrastiveLoss`, without ``num_parts``.
    """

    features: Tensor

    def __init__(
        self,
        prompts: dict,
        in_channels: int,
        layout: Layout,
        encoder: TextEncoder | Mapping[str, Any] | None = None,
        features: str | None = None,
        stream: str = "joint",
        num_classes: int | None = None,
        head: dict | None = None,
        loss: dict | None = None,
    ) -> None:
        super().__init__()
        bank_config = {"type": "PromptBank", "num_classes": num_classes, **prompts}
        self.prompts: PromptBank = MODELS.build(bank_config)
        parts = [slot.joints for slot in self.prompts.slots]
        text_encoder = _build_encoder(encoder, features)
        self._source = features
        head_config: dict = dict(type="PartPoolingHead", parts=parts)
        head_config |= dict(in_channels=in_channels, embed_dims=text_encoder.embed_dims)
        head_config |= dict(layout=layout, stream=stream)
        self.head: PartPoolingHead = MODELS.build(head_config | (head or {}))
        loss_config: dict = dict(type="MultiPartContrastiveLoss", num_parts=len(parts))
        criterion: MultiPartContrastiveLoss = MODELS.build(loss_config | (loss or {}))
        self.loss_con = criterion
        self._tokens: Tokens | None = None
        self.encoder: TransformerTextEncoder | None = None
        self._frozen_encoder: list[TextEncoder] = []
        if text_encoder.frozen:
            # In a list, as it must be no part of the model's parameters.
            self._frozen_encoder.append(text_encoder)
            # Of its final size, for copies that are made before the features are known.
            size = (len(self.prompts.texts), text_encoder.embed_dims)
            self.register_buffer("features", torch.zeros(size), persistent=False)
        elif isinstance(text_encoder, TransformerTextEncoder):
            self.encoder = text_encoder
        else:
            raise TypeError(
                f"{type(text_encoder).__name__} is no TransformerTextEncoder, which "
                "tuning needs; set model.text_branch.encoder.frozen=True"
            )

    def init_weights(self) -> None:
        """Reads the pretrained text weights; runs a frozen encoder and lets it go."""
        super().init_weights()
        if self._source is not None:
            print_log(f"text features of {self._source}", logger="current")
        if self.encoder is not None:
            # Before the first batch, as texts may not suit the encoder.
            self._tokenize(self.encoder)
        self.compute_features()

    def compute_features(self) -> None:
        """Runs a frozen encoder over all texts and lets it go; a tuned one stays."""
        if self._frozen_encoder:
            encoder = self._frozen_encoder.pop()
            encoder.init_weights()
            encoder.to(self.features.device)
            is_transformer = isinstance(encoder, TransformerTextEncoder)
            names = {"name": self.prompts.name} if is_transformer else {}
            self.features.copy_(encoder.encode(self.prompts.texts, **names))

    def check_texts(self) -> None:
        """Raises a ValueError if the encoder, even untrained, lacks some text."""
        for encoder in (self.encoder, *self._frozen_encoder):
            if isinstance(encoder, TransformerTextEncoder):
                self._tokenize(encoder)
            elif encoder is not None:
                self.compute_features()

    def prepare(self, labels: Tensor) -> TextBatch:
        """Draws the texts of classes ``[B]``, and sends what will encode them.

        All of it is work of the CPU, where the labels should be.
        """
        return self._send(self.prompts.sample(labels), labels.cpu())

    def forward(self, x: Tensor, labels: Tensor | TextBatch) -> dict[str, Tensor]:
        """Returns ``loss_con``, weighted, and ``con_<slot>`` for the log.

        In place of the labels it takes what :meth:`prepare` has made of them.
        Where lambda is learned there is ``loss_lambda`` too, its term of the loss.
        """
        batch = self.prepare(labels) if isinstance(labels, Tensor) else labels
        skeleton = self.head(x)
        criterion = self.loss_con
        inputs = skeleton, self.encode(batch).to(skeleton.dtype), batch.labels
        losses = criterion.per_part(*map(gather_from_ranks, inputs))
        logs = {"loss_con": criterion.loss_weight * losses.mean()}
        learned = getattr(criterion, "log_variance", None)  # of a loss of one's own
        if learned is not None:
            logs["loss_lambda"] = learned
        for slot, loss in zip(self.prompts.slots, losses):
            logs[f"con_{slot.name}"] = loss.detach()
        return logs

    def encode(self, texts: Tensor | TextBatch) -> Tensor:
        """Returns the features ``[..., D]`` of texts, by their numbers ``[...]``."""
        if isinstance(texts, Tensor):
            texts = self._send(texts.cpu(), torch.zeros_like(texts, device="cpu"))
        if self._frozen_encoder:
            raise RuntimeError(
                "the text features were not computed yet: call init_weights() on the "
                "model before its loss, as MMEngine's Runner does when it trains"
            )
        features = self.features if texts.compute is None else texts.compute()
        return F.embedding(texts.rows, features)

    def _send(self, ids: Tensor, labels: Tensor) -> TextBatch:
        if self.encoder is None:
            labels, ids = send_together([labels, ids], self.features.device)
            return TextBatch(labels, ids)
        distinct, rows = torch.unique(ids, return_inverse=True)
        compute = self.encoder.prepare(self._tokenize(self.encoder), distinct)
        device = next(self.encoder.parameters()).device
        labels, rows = send_together([labels, rows], device)
        return TextBatch(labels, rows, compute)

    def _tokenize(self, encoder: TransformerTextEncoder) -> Tokens:
        """Returns the tokens of all texts, which are made once."""
        if self._tokens is None:
            self._tokens = encoder.whole_tokens(self.prompts.texts, self.prompts.name)
        return self._tokens


def _build_encoder(
    encoder: TextEncoder | Mapping[str, Any] | None, features: str | None
) -> TextEncoder:
    if features is not None:
        kind = encoder.get("type") if isinstance(encoder, Mapping) else type(encoder)
        if kind in ("PromptLearner", PromptLearner):
            raise ValueError(
                f"TextBranch: `features` ({features!r}) are fixed and leave a "
                "PromptLearner nothing to learn; set model.text_branch.features=None"
            )
        return CachedTextEncoder(features)
    if encoder is None:
        raise ValueError(
            "TextBranch: set `encoder`, the config of a text encoder, or `features`, "
            "a file that tools/cache_text_features.py has written"
        )
    return encoder if isinstance(encoder, TextEncoder) else MODELS.build(encoder)
