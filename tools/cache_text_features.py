"""Compute the text features of a config once, for training without a text model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

import gap_mmaction  # noqa: F401
from gap_mmaction.models import PromptBank
from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.presets import PRESETS
from gap_mmaction.models.text.prompt_bank import MissingFieldError
from gap_mmaction.models.text.text_encoder import build_frozen_encoder
from gap_mmaction.utils.command_line import (
    add_cfg_options,
    add_encoder_arguments,
    check_encoder_arguments,
    read_config,
    tells_errors,
    without_place,
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", help="config whose prompts are encoded")
    add("out", type=Path, help="feature file to write (.safetensors)")
    add_encoder_arguments(
        parser, "encoder to use instead of the config's, e.g. HFTextEncoder"
    )
    presets = "the texts of these presets instead of the config's own; `all` for every "
    presets += "preset that the description file has the fields for"
    add("--presets", nargs="+", help=presets)
    add("--half", action="store_true", help="write float16, half the size")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    check_encoder_arguments(parser, args)
    return args


def collect_texts(prompts: dict, presets: Sequence[str] | None) -> list[str]:
    """Returns the distinct texts of a config's prompts, or of presets, maybe `all`."""
    if presets is None:
        return list(MODELS.build({"type": "PromptBank", **prompts}).texts)
    every = "all" in presets
    texts: dict[str, None] = {}
    lacking: dict[str, list[str]] = {}
    for preset in PRESETS if every else presets:
        try:
            bank = PromptBank(prompts["descriptions"], preset=preset)
        except MissingFieldError as error:
            if not every:
                raise
            lacking.setdefault(str(error), []).append(preset)
        else:
            texts.update(dict.fromkeys(bank.texts))
    if every:  # the config's own slots, too
        texts.update(dict.fromkeys(collect_texts(prompts, None)))
    for reason, left_out in lacking.items():
        print(f"left out: {', '.join(left_out)} ({reason})", file=sys.stderr)
    return list(texts)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Encodes every text that the config's prompt bank can give."""
    args = parse_args(argv)
    config = read_config(args.config, args.cfg_options)
    init_default_scope("mmaction")
    branch: Mapping[str, Any] = config.model.get("text_branch") or {}
    if "prompts" not in branch:
        raise ValueError(
            f"{args.config}: model.text_branch has no prompts, so there are no texts "
            "to encode; give a config with a TextBranch"
        )
    encoder = dict(branch.get("encoder") or {})
    if args.encoder:
        encoder = {"type": args.encoder, **args.encoder_options}
    if not encoder:
        raise ValueError(f"{args.config} has no encoder; give one with --encoder")
    texts = collect_texts(branch["prompts"], args.presets)
    features = build_frozen_encoder(encoder, args.device).encode(texts).cpu()
    if args.half:
        features = features.half()
    described = {key: value for key, value in encoder.items() if key != "frozen"}
    save_features(args.out, texts, features, str(without_place(described)))
    print(f"{args.out}: {len(texts)} texts, {features.shape[1]} dimensions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
