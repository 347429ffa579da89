"""Text encoders by name, as Tables 1c and 1f have them."""

from __future__ import annotations

from typing import Any


def _clip(model: str, frozen: bool = False) -> dict[str, Any]:
    return {
        "type": "OpenCLIPTextEncoder",
        "model": model,
        "pretrained": "openai",
        "frozen": frozen,
    }


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
    "random": {"type": "RandomTextEncoder", "embed_dims": 384},
}
"""Values of ``model.text_branch.encoder``."""
