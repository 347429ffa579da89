"""How near parts of skeletons are to texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gap_mmaction.models.backbones import map_of
from gap_mmaction.models.recognizers import RecognizerGAP
from gap_mmaction.models.text import TextBranch
from gap_mmaction.models.text.prompt_bank import PromptBank, class_features
from gap_mmaction.models.text.text_encoder import TextEncoder

SlotText = Union[str, Mapping[str, str]]
"""A text for every slot, or one for each, by the slots' names."""

_SAME = 0.99


class PartSimilarity:
    """Compares what the text branch of a trained model was trained to bring together.

    Each of the K slots of the prompt bank, such as ``global`` and ``head``, has a
    feature of the skeleton (its joints, pooled and projected) and one of a text. Both
    are scaled to norm 1, as in the loss (GAP, eq. 4): their product is a cosine.

    Texts other than the classes' own need the encoder: a tuned one is part of the
    model, a frozen one has to be given.

    Args:
        model: A recognizer with its text branch, as ``load_model(...,
            text_branch=True)`` returns it.
        encoder: The frozen encoder that the features were made with, for other texts,
            see :func:`gap_mmaction.models.text.text_encoder.build_frozen_encoder`.

    Examples:
        >>> similarity = PartSimilarity(model)
        >>> skeletons = similarity.skeleton_features(data)  # [B, K, D]
        >>> cosines = similarity.compare(skeletons, similarity.class_features())
        >>> cosines.shape  # B, K, classes
        torch.Size([8, 5, 10])
    """

    def __init__(self, model: nn.Module, encoder: TextEncoder | None = None) -> None:
        branch = getattr(model, "text_branch", None)
        if not isinstance(model, RecognizerGAP) or branch is None:
            raise ValueError(
                "part similarity needs a RecognizerGAP with its text branch, this "
                f"{type(model).__name__} has none: build it from a config with "
                "model.text_branch and a checkpoint that kept it"
            )
        if not isinstance(branch, TextBranch):
            raise ValueError(
                f"model.text_branch is a {type(branch).__name__}, which has no texts; "
                "part similarity and retrieval need a model trained with a TextBranch"
            )
        if branch.encoder is not None and encoder is not None:
            raise ValueError(
                "the model has tuned its own text encoder, another one has other "
                "features; leave `encoder` out"
            )
        self.model = model
        self.branch = branch
        self.parts: tuple[str, ...] = tuple(slot.name for slot in branch.prompts.slots)
        self.labels: tuple[str, ...] = branch.prompts.labels
        self._encoder: TextEncoder | None = branch.encoder or encoder
        self._rows = {text: row for row, text in enumerate(branch.prompts.texts)}
        texts = branch.prompts.texts
        with torch.no_grad():
            if branch.encoder is not None:
                self._known = branch.encoder.encode(texts).float()
            else:
                device = next(model.parameters()).device
                ids = torch.arange(len(texts), device=device)
                self._known = branch.encode(ids).float()
        if encoder is None:
            return
        known, given = self._known[0], encoder.encode(texts[:1])[0].to(self._known)
        same = known.shape == given.shape
        if not same or float(F.cosine_similarity(known, given, dim=0)) < _SAME:
            raise ValueError(
                f"`encoder` ({type(encoder).__name__}, width {encoder.embed_dims}) is "
                f"not the one that the model was trained with (width {len(known)}): it "
                f"gives {texts[0]!r} another feature. Build the encoder that wrote "
                "model.text_branch.features, with the same options"
            )

    @torch.no_grad()
    def skeleton_features(self, data: Mapping[str, Any]) -> Tensor:
        """Computes the features ``[B, K, D]`` of a batch of skeletons, of norm 1.

        ``data`` has the lists ``inputs`` and ``data_samples`` of a pipeline's outputs;
        the clips of a sample count alike. The model is put into evaluation mode.
        """
        self.model.eval()
        # A preprocessor writes into the dict that it is given.
        inputs = self.model.data_preprocessor(dict(data), False)["inputs"]
        features, _ = self.model.extract_feat(inputs)
        return self.project(features, inputs.shape[1])

    @torch.no_grad()
    def project(self, features: Tensor, num_clips: int = 1) -> Tensor:
        """Pools and projects the backbone's ``[B * num_clips, M, C, T, V]``.

        Returns ``[B, K, D]``, of norm 1, the mean over the clips of each sample.
        """
        parts = F.normalize(self.branch.head(map_of(features)).float(), dim=-1)
        if num_clips == 1:
            return parts
        return F.normalize(parts.unflatten(0, (-1, num_clips)).mean(1), dim=-1)

    def class_features(
        self,
        classes: Sequence[int | str] | None = None,
        bank: PromptBank | None = None,
    ) -> Tensor:
        """Returns the text features ``[C, K, D]`` of classes, of norm 1.

        Where a slot has several texts for a class, the mean of their unit features
        stands for it. Classes are indices or labels, all of the bank by default. The
        bank is the model's own, or one with its slots for classes that it was not
        trained on.
        """
        bank = self.branch.prompts if bank is None else bank
        names = tuple(slot.name for slot in bank.slots)
        if names != self.parts:
            raise ValueError(
                f"the prompt bank of {bank.descriptions} has the slots {list(names)}, "
                f"the model was trained with {list(self.parts)}: give the bank the "
                "preset or slots of the model's config"
            )
        features = class_features(bank, self._encode(bank.texts)).transpose(0, 1)
        if classes is None:
            return features
        names = bank.labels
        rows = []
        for name in classes:
            index = names.index(name) if name in names else name
            if isinstance(index, str) or not 0 <= index < len(names):
                raise ValueError(
                    f"{bank.descriptions} has no class {name!r}; there are "
                    f"{len(names)}: {list(names)}"
                )
            rows.append(index)
        return features[rows]

    def text_features(self, texts: Sequence[SlotText]) -> Tensor:
        """Returns the features ``[N, K, D]`` of any texts, of norm 1.

        Each is a text, taken for every slot, or a dict with one per slot.
        """
        if isinstance(texts, str):
            raise ValueError(f"give a list of texts, not the one text {texts!r}")
        by_slot: list[str] = []
        for text in texts:
            slots = dict.fromkeys(self.parts, text) if isinstance(text, str) else text
            if set(slots) != set(self.parts):
                raise ValueError(
                    f"a text has the slots {sorted(slots)}; give one text for each of "
                    f"{list(self.parts)}, or a single string for all of them"
                )
            by_slot += [slots[part] for part in self.parts]
        features = F.normalize(self._encode(by_slot), dim=-1)
        return features.unflatten(0, (-1, len(self.parts)))

    def compare(self, skeletons: Tensor, texts: Tensor) -> Tensor:
        """Returns the cosines ``[B, K, N]`` of ``[B, K, D]`` and ``[N, K, D]``."""
        return torch.einsum("bkd,nkd->bkn", skeletons, texts)

    def _encode(self, texts: Sequence[str]) -> Tensor:
        """Returns the features ``[len(texts), D]``; new ones by the encoder."""
        rows, features = dict(self._rows), self._known
        new = [text for text in dict.fromkeys(texts) if text not in rows]
        if new:
            if self._encoder is None:
                raise ValueError(
                    f"{new[0]!r} is no text of the model's classes, and the model has "
                    "the features of these alone. Give the text encoder that made "
                    "them: `encoder`, by gap_mmaction.models.text.text_encoder."
                    "build_frozen_encoder, or on command lines --encoder and "
                    "--encoder-options"
                )
            rows.update({text: len(rows) + i for i, text in enumerate(new)})
            features = torch.cat([features, self._encoder.encode(new).to(features)])
        return features[[rows[text] for text in texts]]
