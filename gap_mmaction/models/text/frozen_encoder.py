"""Text encoders for tools."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch
from mmaction.registry import MODELS

from gap_mmaction.utils.config_keys import check_keys, did_you_mean

from ..registered import registered
from .prompt_learner import PromptLearner
from .text_encoder import TextEncoder


def build_frozen_encoder(
    config: Mapping[str, Any], device: str | torch.device = "cpu"
) -> TextEncoder:
    """Build a text encoder and read its weights, to encode texts with.

    Args:
        config: ``type`` and the arguments of an encoder; what it says of ``frozen``
            does not count.
        device: Where it is to run.

    Returns:
        The encoder.

    Raises:
        ValueError: If there is no such encoder, or it can encode nothing untrained.
        TypeError: If an argument is unknown or missing.
        RuntimeError: If its weights cannot be had.
    """
    kind = config["type"]
    found = registered(kind)
    if not (isinstance(found, type) and issubclass(found, TextEncoder)):
        known = [
            name
            for name, module in MODELS.module_dict.items()
            if isinstance(module, type) and issubclass(module, TextEncoder)
        ]
        raise ValueError(
            f"there is no text encoder {kind!r}{did_you_mean(str(kind), known)}; use "
            f"one of {known}"
        )
    if issubclass(found, PromptLearner):
        raise ValueError(
            "a PromptLearner is trained with the recognizer: its texts have no "
            "features beforehand; give the encoder inside it"
        )
    names = ("type", "frozen")
    arguments = {key: value for key, value in config.items() if key not in names}
    if "frozen" in inspect.signature(found).parameters:
        arguments["frozen"] = True
    check_keys(found, arguments, f"options of {found.__name__}")
    encoder: TextEncoder = found(**arguments).to(device)
    encoder.init_weights()
    return encoder
