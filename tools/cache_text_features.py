"""Compute the text features of a config once, for training without a text model."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from mmaction.registry import MODELS
from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

import gap_mmaction  # noqa: F401
from gap_mmaction.models.text.feature_file import save_features


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="config whose prompts are encoded")
    parser.add_argument("out", type=Path, help="feature file to write (.safetensors)")
    parser.add_argument(
        "--encoder",
        help="encoder to use instead of the config's, e.g. HFTextEncoder",
    )
    parser.add_argument(
        "--encoder-options",
        nargs="+",
        action=DictAction,
        default={},
        help="its arguments, e.g. model=bert-base-uncased pooling=mean",
    )
    parser.add_argument(
        "--device", default="cuda" if torch.cuda.is_available() else "cpu"
    )
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    args = parser.parse_args()
    if args.encoder_options and not args.encoder:
        parser.error("--encoder-options goes with --encoder")
    return args


def main() -> None:
    """Encode every text that the config's prompt bank can give."""
    args = parse_args()
    config = Config.fromfile(args.config)
    if args.cfg_options:
        config.merge_from_dict(args.cfg_options)
    init_default_scope("mmaction")
    branch = config.model.get("text_branch")
    if not branch:
        raise SystemExit(f"{args.config}: model.text_branch is not set, nothing to do")
    prompts = MODELS.build({"type": "PromptBank", **branch.prompts})
    encoder_config = dict(branch.encoder)
    if args.encoder:
        encoder_config = {"type": args.encoder, **args.encoder_options}
    encoder_config["frozen"] = True
    encoder = MODELS.build(encoder_config).to(args.device)
    encoder.init_weights()
    features = encoder.encode(prompts.texts).cpu()
    described = {key: value for key, value in encoder_config.items() if key != "frozen"}
    # A folder's place on this machine says nothing on another one.
    name = str(described.get("model", ""))
    if Path(name).exists():
        described["model"] = "/".join(Path(name).resolve().parts[-2:])
    save_features(args.out, prompts.texts, features, str(described))
    print(
        f"{args.out}: {len(prompts.texts)} texts of {len(prompts.labels)} classes, "
        f"{features.shape[1]} dimensions"
    )


if __name__ == "__main__":
    main()
