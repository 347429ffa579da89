"""The models of the tables: a backbone, and texts or none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

PLAIN = "plain"
PART_CLASSIFIER = "part-classifier"
RANDOM = "random"
LOSSES = ("paper", "public")
BACKBONES = ("stgcn", "ctr-baseline", "ctrgcn-single", "ctrgcn")
"""Those of Table 1d; ``ctrgcn-single`` has one temporal scale (GAP, section 4.2)."""

# What all of them understand: the size of the stack, which heads depend on.
_SIZE = (
    *("in_channels", "base_channels", "num_stages"),
    *("inflate_stages", "down_stages", "num_person"),
)
# The public code's form, and its lambda by layout where that is not the paper's 0.8.
_PUBLIC_LOSS = {"target": "softmax", "learnable": True}
_PUBLIC_LAMBDA = {"nw-ucla": {"loss_weight": 1.0}}


def _clip(model: str, frozen: bool = False) -> dict[str, Any]:
    settings = {"model": model, "pretrained": "openai", "frozen": frozen}
    return {"type": "OpenCLIPTextEncoder", **settings}


def _learned(frozen: bool) -> dict[str, Any]:
    return {"type": "PromptLearner", "encoder": _clip("ViT-B-32", frozen)}


ENCODERS: dict[str, dict[str, Any]] = {
    # The paper's XFMR-32, its default, XFMR-16 and XFMR-14.
    "clip-b32": _clip("ViT-B-32"),
    "clip-b16": _clip("ViT-B-16"),
    "clip-l14": _clip("ViT-L-14"),
    "bert": {
        "type": "HFTextEncoder",
        "model": "bert-base-uncased",
        "pooling": "cls",
        "frozen": False,
    },
    # Vectors in place of words, before a CLIP that is fixed or tuned.
    "learned-fixed": _learned(frozen=True),
    "learned-tuned": _learned(frozen=False),
    # As wide as MiniLM's features, which the CPU's recipes have.
    RANDOM: {"type": "RandomTextEncoder", "embed_dims": 384},
}
"""Values of ``model.text_branch.encoder``, by the names of Tables 1c and 1f."""


def backbone_changes(name: str, backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a config's ``model.backbone``, a CTRGCN, has to be merged with.

    Raises:
        ValueError: If the name is none of :data:`BACKBONES`, or it is no CTRGCN.
    """
    if name not in BACKBONES:
        raise ValueError(f"backbone '{name}' is none of {', '.join(BACKBONES)}")
    kind = backbone.get("type")
    if kind != "CTRGCN":
        raise ValueError(
            f"model.backbone.type is {kind!r}: the tables' backbones are made from a "
            "config with CTRGCN"
        )
    if name.startswith("ctrgcn"):
        return {"temporal": "single" if name == "ctrgcn-single" else "multi"}
    size = {key: backbone[key] for key in _SIZE if key in backbone}
    graph = dict(backbone["graph_cfg"])
    if name == "ctr-baseline":
        return {"_delete_": True, "type": "CTRBaseline", "graph_cfg": graph, **size}
    graph["mode"] = "stgcn_spatial"
    return {"_delete_": True, "type": "STGCN", "graph_cfg": graph, **size}


@dataclass(frozen=True)
class Variant:
    """One model of a table.

    Attributes:
        backbone: One of :data:`BACKBONES`.
        text: A prompt preset; ``plain`` for no text branch, ``part-classifier`` for a
            classifier on every part in its place.
        encoder: A key of :data:`ENCODERS`; None for the config's own, or the text
            features that it reads.
        loss_weight: The weight lambda of the contrastive loss; None for the config's.
        loss: ``paper`` for the config's form of the loss, ``public`` for that of the
            public implementation, with its lambda.
        shuffled: Whether each class has the texts of another one.
    """

    backbone: str
    text: str = "synonym+parts4"
    encoder: str | None = None
    loss_weight: float | None = None
    loss: str = "paper"
    shuffled: bool = False

    @property
    def name(self) -> str:
        """A name for a folder."""
        parts = [self.backbone, self.text]
        parts += [] if self.encoder is None else [self.encoder]
        parts += [] if self.loss_weight is None else [f"lambda{self.loss_weight:g}"]
        parts += [] if self.loss == "paper" else [f"{self.loss}-loss"]
        return "_".join([*parts, *["shuffled"] * self.shuffled])

    @property
    def arm(self) -> str:
        """What a comparison calls it: ``plain``, ``random``, ``shuffled``, ``gap``."""
        if not self.has_texts:
            return self.text
        if self.encoder == RANDOM:
            return RANDOM
        return "shuffled" if self.shuffled else "gap"

    @property
    def has_texts(self) -> bool:
        """Whether there is a text branch that settings of it apply to."""
        return self.text not in (PLAIN, PART_CLASSIFIER)

    def without_repetition(self, model: Mapping[str, Any]) -> Variant:
        """Returns it without an encoder that the ``model`` has, to share runs."""
        branch = model.get("text_branch") or {}
        if self.encoder is None or branch.get("features") is not None:
            return self
        own = branch.get("encoder") or {}
        if any(own.get(key) != item for key, item in ENCODERS[self.encoder].items()):
            return self
        return replace(self, encoder=None)

    def changes(self, model: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
        """Returns what a config's ``model`` has to be merged with.

        Texts that are random or shuffled depend on the seed.

        Raises:
            ValueError: If the config has no CTRGCN or no text branch.
        """
        backbone = backbone_changes(self.backbone, model["backbone"])
        if self.text == PLAIN:
            return {"backbone": backbone, "text_branch": None}
        own = model.get("text_branch")
        if own is None:
            raise ValueError(
                "model.text_branch is None: the tables are made from a config with GAP"
            )
        if self.text == PART_CLASSIFIER:
            branch: dict[str, Any] = {"_delete_": True, "type": "PartClassifier"}
            return {"backbone": backbone, "text_branch": branch}
        branch = {"prompts": {"preset": self.text}}
        if self.shuffled:
            branch["prompts"]["shuffle_classes"] = seed
        if self.encoder is not None:
            encoder = dict(ENCODERS[self.encoder])
            if self.encoder == RANDOM:
                encoder["seed"] = seed
            if own.get("encoder") is not None:
                encoder["_delete_"] = True
            branch.update(features=None, encoder=encoder)
        loss: dict[str, Any] = {}
        if self.loss == "public":
            layout = model["data_preprocessor"]["layout"]
            loss = {**_PUBLIC_LOSS, **_PUBLIC_LAMBDA.get(layout, {})}
        if self.loss_weight is not None:
            loss["loss_weight"] = self.loss_weight
        if loss:
            branch["loss"] = loss
        return {"backbone": backbone, "text_branch": branch}
