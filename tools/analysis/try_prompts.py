#!/usr/bin/env python
r"""Train a few iterations with every preset and text encoder, and print the losses.

It shows that each setting runs and learns on your data and machine before a long run:

    python tools/analysis/try_prompts.py configs/gap/ctrgcn_nwucla_cpu.py \
        --encoders cached hf hf-tuned --hf FOLDER_OR_NAME
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.runner import Runner, set_random_seed

import gap_mmaction  # noqa: F401
from gap_mmaction.models.text.presets import PRESETS
from gap_mmaction.utils.config_options import add_cfg_options, read_config

ENCODERS = (
    "cached",
    "hf",
    "hf-tuned",
    "clip",
    "clip-tuned",
    "hf-learned",
    "clip-learned",
)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config with a text branch")
    parser.add_argument("--presets", nargs="+", default=list(PRESETS), choices=PRESETS)
    parser.add_argument(
        "--encoders", nargs="+", default=["cached"], choices=ENCODERS, metavar="NAME"
    )
    parser.add_argument("--hf", help="model of the hf encoders, a name or folder")
    parser.add_argument("--hf-pooling", default="mean")
    parser.add_argument("--clip", default="ViT-B-32", help="model of the clip encoders")
    parser.add_argument(
        "--clip-pretrained", help="their weights, a tag or a file; random by default"
    )
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument("--mean-of", type=int, default=5, help="iterations to average")
    parser.add_argument("--seed", type=int, default=0)
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if any(name.startswith("hf") for name in args.encoders) and not args.hf:
        parser.error("the hf encoders need --hf")
    if not 1 <= args.mean_of <= args.iterations:
        parser.error("--mean-of must be between 1 and --iterations")
    return args


def encoder_config(name: str, args: argparse.Namespace) -> dict[str, Any] | None:
    """Give the encoder's config; ``None`` for the config's own feature file."""
    if name == "cached":
        return None
    family, _, how = name.partition("-")
    frozen = how != "tuned"
    if family == "hf":
        encoder: dict[str, Any] = dict(
            type="HFTextEncoder", model=args.hf, pooling=args.hf_pooling
        )
    else:
        encoder = dict(
            type="OpenCLIPTextEncoder", model=args.clip, pretrained=args.clip_pretrained
        )
    encoder["frozen"] = frozen
    if how == "learned":
        return dict(type="PromptLearner", encoder=encoder)
    return encoder


def endless(loader: Any) -> Iterator[Any]:
    """Give batches without an end."""
    while True:
        yield from loader


def train(config: Config, iterations: int, seed: int) -> list[dict[str, float]]:
    """Train and give the losses of each iteration."""
    set_random_seed(seed)
    model = MODELS.build(config.model)
    model.init_weights()
    model.train()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    batches = endless(Runner.build_dataloader(config.train_dataloader, seed=seed))
    history = []
    for _ in range(iterations):
        losses = model.train_step(next(batches), optimizer)
        history.append({name: float(value.detach()) for name, value in losses.items()})
    return history


def main(argv: Sequence[str] | None = None) -> int:
    """Run every combination and print a Markdown table.

    Returns:
        The exit status: 0, or 1 if a combination failed or its loss is not finite.
    """
    args = parse_args(argv)
    init_default_scope("mmaction")
    # Every model would log the initialization of each of its parameters.
    MMLogger.get_instance("try_prompts").setLevel("WARNING")
    print(f"Means of the first and the last {args.mean_of} of {args.iterations}\n")
    print("| preset | encoder | loss_cls | loss_con | seconds | |")
    print("|---|---|---|---|---|---|")
    failed = False
    for preset in args.presets:
        for name in args.encoders:
            config = read_config(args.config, args.cfg_options)
            branch: Any = config.model.get("text_branch") or {}
            if "prompts" not in branch:
                raise SystemExit(f"{args.config}: model.text_branch has no prompts")
            branch.prompts.preset = preset
            encoder = encoder_config(name, args)
            if encoder is not None:
                branch.encoder, branch.features = encoder, None
            start = time.perf_counter()
            try:
                history = train(config, args.iterations, args.seed)
            except (ValueError, OSError, RuntimeError) as error:
                print(f"| {preset} | {name} | | | | {error} |", flush=True)
                failed = True
                continue
            cells = []
            for loss in ("loss_cls", "loss_con"):
                values = torch.tensor([step[loss] for step in history])
                first, last = values[: args.mean_of], values[-args.mean_of :]
                failed |= not bool(values.isfinite().all())
                cells.append(f"{first.mean():.3f} -> {last.mean():.3f}")
            seconds = time.perf_counter() - start
            print(f"| {preset} | {name} | {' | '.join(cells)} | {seconds:.0f} | |")
            sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
