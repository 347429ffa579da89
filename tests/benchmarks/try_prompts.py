"""Train a few iterations with every preset and text encoder, and print the losses."""

from __future__ import annotations

import argparse
import itertools
import sys
import time
from collections.abc import Sequence
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
from gap_mmaction.utils.command_line import add_cfg_options, read_config

HOW = ("", "-tuned", "-learned")
ENCODERS = ("cached", *(kind + how for kind in ("hf", "clip") for how in HOW))


def encoder_config(name: str, args: argparse.Namespace) -> dict[str, Any]:
    family, _, how = name.partition("-")
    encoder = dict(type="HFTextEncoder", model=args.hf, pooling=args.hf_pooling)
    if family == "clip":
        encoder = dict(type="OpenCLIPTextEncoder", model=args.clip)
        encoder["pretrained"] = args.clip_pretrained
    encoder["frozen"] = how != "tuned"
    return dict(type="PromptLearner", encoder=encoder) if how == "learned" else encoder


def train(config: Config, iterations: int, seed: int) -> torch.Tensor:
    """Returns ``loss_cls`` and ``loss_con`` of each iteration, ``[iterations, 2]``."""
    set_random_seed(seed)
    model = MODELS.build(config.model)
    model.init_weights()
    model.train()
    optimizer = build_optim_wrapper(model, config.optim_wrapper)
    loader = Runner.build_dataloader(config.train_dataloader, seed=seed)
    batches = itertools.chain.from_iterable(itertools.repeat(loader))
    history = []
    for batch in itertools.islice(batches, iterations):
        losses = model.train_step(batch, optimizer)
        history.append([float(losses[name]) for name in ("loss_cls", "loss_con")])
    return torch.tensor(history)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs every combination; returns 1 if one failed or its loss is not finite."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("config", help="config with a text branch")
    add("--presets", nargs="+", default=list(PRESETS), choices=PRESETS)
    add("--encoders", nargs="+", default=["cached"], choices=ENCODERS, metavar="NAME")
    add("--hf", help="model of the hf encoders, a name or folder")
    add("--hf-pooling", default="mean")
    add("--clip", default="ViT-B-32", help="model of the clip encoders")
    add("--clip-pretrained", help="their weights, a tag or a file; random by default")
    add("--iterations", type=int, default=20)
    add("--mean-of", type=int, default=5, help="iterations to average")
    add("--seed", type=int, default=0)
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    init_default_scope("mmaction")
    # Every model would log the initialization of each of its parameters.
    MMLogger.get_instance("try_prompts").setLevel("WARNING")
    print(f"Means of the first and the last {args.mean_of} of {args.iterations}\n")
    print("| preset | encoder | loss_cls | loss_con | seconds |\n|---|---|---|---|---|")
    failed = False
    for preset, name in itertools.product(args.presets, args.encoders):
        config: Any = read_config(args.config, args.cfg_options)
        branch, start = config.model.text_branch, time.perf_counter()
        branch.prompts.preset = preset
        if name != "cached":
            branch.encoder, branch.features = encoder_config(name, args), None
        try:
            losses = train(config, args.iterations, args.seed)
            failed |= not bool(losses.isfinite().all())
            ends = losses[: args.mean_of].mean(0), losses[-args.mean_of :].mean(0)
            cells = [f"{first:.3f} -> {last:.3f}" for first, last in zip(*ends)]
            cells.append(f"{time.perf_counter() - start:.0f}")
        except (ValueError, OSError, RuntimeError) as error:
            failed, cells = True, [f"{error}", "", ""]
        print(f"| {preset} | {name} | {' | '.join(cells)} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
