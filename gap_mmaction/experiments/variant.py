"""What is trained: a backbone, and texts or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .backbones import backbone_changes
from .encoders import ENCODERS

PLAIN = "plain"
PART_CLASSIFIER = "part-classifier"
RANDOM = "random"
DEFAULT_PRESET = "synonym+parts4"
LOSSES = ("paper", "public")

# The public code's form, and its lambda by layout where that is not the paper's 0.8.
_PUBLIC_LOSS = {"target": "softmax", "learnable": True}
_PUBLIC_LAMBDA = {"nw-ucla": 1.0}


@dataclass(frozen=True)
class Variant:
    """One model of a table.

    Attributes:
        backbone: A name of :data:`.backbones.BACKBONES`.
        text: A prompt preset; ``plain`` for no text branch, ``part-classifier`` for a
            classifier on every part in its place.
        encoder: A name of :data:`.encoders.ENCODERS`; None for the config's own, or the
            text features that it reads.
        loss_weight: The weight lambda of the contrastive loss; None for the config's.
        loss: ``paper`` for the config's form of the loss, ``public`` for that of the
            public implementation, with its lambda.
        shuffled: Whether each class has the texts of another one.
    """

    backbone: str
    text: str = DEFAULT_PRESET
    encoder: str | None = None
    loss_weight: float | None = None
    loss: str = "paper"
    shuffled: bool = False

    @property
    def name(self) -> str:
        """A name for a folder."""
        parts = [self.backbone, self.text]
        if self.encoder is not None:
            parts.append(self.encoder)
        if self.loss_weight is not None:
            parts.append(f"lambda{self.loss_weight:g}")
        if self.loss != "paper":
            parts.append(f"{self.loss}-loss")
        if self.shuffled:
            parts.append("shuffled")
        return "_".join(parts)

    @property
    def arm(self) -> str:
        """What a comparison calls it: ``plain``, ``random``, ``shuffled``, ``gap``."""
        if not self.has_texts or self.encoder == RANDOM:
            return RANDOM if self.has_texts else self.text
        return "shuffled" if self.shuffled else "gap"

    @property
    def has_texts(self) -> bool:
        """Whether there is a text branch that settings of it apply to."""
        return self.text not in (PLAIN, PART_CLASSIFIER)

    def without_repetition(self, model: Mapping[str, Any]) -> Variant:
        """Leave an encoder out that the config has anyway, so that runs are shared.

        Args:
            model: The config's model.

        Returns:
            The same model by its shorter name, if there is one.
        """
        branch = model.get("text_branch") or {}
        if self.encoder is None or branch.get("features") is not None:
            return self
        own = branch.get("encoder") or {}
        asked = ENCODERS[self.encoder]
        if any(own.get(key) != value for key, value in asked.items()):
            return self
        return replace(self, encoder=None)

    def changes(self, model: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
        """Say what to change in a config.

        Args:
            model: The config's model, a RecognizerGAP with a CTRGCN and a text branch.
            seed: The run's seed, which texts that are random or shuffled depend on.

        Returns:
            What a config that inherits it sets ``model`` to.

        Raises:
            ValueError: If the config has another backbone, or no text branch.
        """
        changes: dict[str, Any] = {
            "backbone": backbone_changes(self.backbone, model["backbone"])
        }
        if self.text == PLAIN:
            return {**changes, "text_branch": None}
        own = model.get("text_branch")
        if own is None:
            raise ValueError(
                "model.text_branch is None: the tables are made from a config with GAP"
            )
        if self.text == PART_CLASSIFIER:
            branch: dict[str, Any] = {"_delete_": True, "type": "PartClassifier"}
            return {**changes, "text_branch": branch}
        branch = {"prompts": {"preset": self.text}}
        if self.shuffled:
            branch["prompts"]["shuffle_classes"] = seed
        if self.encoder is not None:
            encoder = dict(ENCODERS[self.encoder])
            if self.encoder == RANDOM:
                encoder["seed"] = seed
            if own.get("encoder") is not None:
                encoder = {"_delete_": True, **encoder}
            branch.update(features=None, encoder=encoder)
        loss: dict[str, Any] = {}
        if self.loss == "public":
            layout = model["data_preprocessor"]["layout"]
            loss = dict(_PUBLIC_LOSS)
            if layout in _PUBLIC_LAMBDA:
                loss["loss_weight"] = _PUBLIC_LAMBDA[layout]
        if self.loss_weight is not None:
            loss["loss_weight"] = self.loss_weight
        if loss:
            branch["loss"] = loss
        return {**changes, "text_branch": branch}
