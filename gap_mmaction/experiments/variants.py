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


ENCODERS: dict[str, dict[str, Any]] = {
    # The paper's XFMR-32, its default, XFMR-16 and XFMR-14.
    "clip-b32": _clip("ViT-B-32"),
    "clip-b16": _clip("ViT-B-16"),
    "clip-l14": _clip("ViT-L-14"),
    "bert": {
        **{"type": "HFTextEncoder", "model": "bert-base-uncased"},
        **{"pooling": "cls", "frozen": False},
    },
    # Vectors in place of words, before a CLIP that is fixed or tuned.
    "learned-fixed": {"type": "PromptLearner", "encoder": _clip("ViT-B-32", True)},
    "learned-tuned": {"type": "PromptLearner", "encoder": _clip("ViT-B-32")},
    # As wide as MiniLM's features, which the CPU's recipes have.
    RANDOM: {"type": "RandomTextEncoder", "embed_dims": 384},
}
"""Values of ``model.text_branch.encoder``, by the names of Tables 1c and 1f."""


def backbone_changes(name: str, backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a config's backbone, a CTRGCN, is merged with for another's name."""
    kind = backbone.get("type")
    if kind != "CTRGCN":
        way_out = "the tables' backbones are made from a config with CTRGCN"
        raise ValueError(f"model.backbone.type is {kind!r}: {way_out}")
    if name.startswith("ctrgcn"):
        return {"temporal": "single" if name == "ctrgcn-single" else "multi"}
    size = {key: backbone[key] for key in _SIZE if key in backbone}
    graph, kind = dict(backbone["graph_cfg"]), "CTRBaseline"
    if name == "stgcn":
        graph["mode"], kind = "stgcn_spatial", "STGCN"
    return {"_delete_": True, "type": kind, "graph_cfg": graph, **size}


@dataclass(frozen=True)
class Variant:
    """One model of a table."""

    backbone: str  # one of BACKBONES
    text: str = "synonym+parts4"  # a prompt preset, PLAIN or PART_CLASSIFIER
    encoder: str | None = None  # a key of ENCODERS; None for what the config has
    loss_weight: float | None = None  # lambda; None for the config's
    loss: str = "paper"  # the config's form, or "public", with that code's lambda
    shuffled: bool = False  # each class has the texts of another one

    @property
    def name(self) -> str:
        """A name for a folder."""
        weight = None if self.loss_weight is None else f"lambda{self.loss_weight:g}"
        loss = None if self.loss == "paper" else f"{self.loss}-loss"
        last = "shuffled" if self.shuffled else None
        parts = (self.backbone, self.text, self.encoder, weight, loss, last)
        return "_".join(filter(None, parts))

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
        same = all(own.get(key) == v for key, v in ENCODERS[self.encoder].items())
        return replace(self, encoder=None) if same else self

    def changes(self, model: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
        """Returns what a config's ``model`` is merged with; ``seed`` draws texts.

        A ValueError says that the config has no CTRGCN or no text branch.
        """
        backbone = backbone_changes(self.backbone, model["backbone"])
        if self.text == PLAIN:
            return {"backbone": backbone, "text_branch": None}
        own = model.get("text_branch")
        if own is None:
            way_out = "the tables are made from a config with GAP"
            raise ValueError(f"model.text_branch is None: {way_out}")
        if self.text == PART_CLASSIFIER:
            classifier = {"_delete_": True, "type": "PartClassifier"}
            return {"backbone": backbone, "text_branch": classifier}
        branch: dict[str, Any] = {"prompts": {"preset": self.text}}
        if self.shuffled:
            branch["prompts"]["shuffle_classes"] = seed
        if self.encoder is not None:
            encoder = dict(ENCODERS[self.encoder])
            if self.encoder == RANDOM:
                encoder["seed"] = seed
            if own.get("encoder") is not None:
                encoder["_delete_"] = True
            branch.update(features=None, encoder=encoder)
        if self.loss == "public":
            layout = model["data_preprocessor"]["layout"]
            branch["loss"] = {**_PUBLIC_LOSS, **_PUBLIC_LAMBDA.get(layout, {})}
        if self.loss_weight is not None:
            branch.setdefault("loss", {})["loss_weight"] = self.loss_weight
        return {"backbone": backbone, "text_branch": branch}
