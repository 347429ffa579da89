"""Trains a model: ``python tools/train.py CONFIG [options]``.

The options are those of mmaction2's ``tools/train.py``. Beyond it, distributed
training works on machines without a GPU, and ``--seed``, ``--diff-rank-seed`` and
``--deterministic`` take effect whatever the config's ``randomness`` says.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmaction.registry import RUNNERS
from mmengine.config import Config

from gap_mmaction import compat
from gap_mmaction.engine import launch
from gap_mmaction.engine.skeleton_runner import SkeletonRunner


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line, ``sys.argv`` by default."""
    parser = argparse.ArgumentParser(description="Train a model.")
    parser.add_argument("config", help="config file")
    launch.add_common_arguments(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const="auto",
        metavar="CHECKPOINT",
        help="continue from this checkpoint; without a value, or with `auto`, from "
        "the latest one in the work dir, if there is any",
    )
    parser.add_argument("--seed", type=int, help="the same seed gives the same run")
    for name, purpose in {
        "amp": "mixed precision; needs an accelerator",
        "no-validate": "no validation while training",
        "auto-scale-lr": "scale the learning rate by total batch size / "
        "auto_scale_lr.base_batch_size",
        "diff-rank-seed": "add the rank to the seed, so that every process has its own",
        "deterministic": "only deterministic algorithms, also on a GPU",
    }.items():
        parser.add_argument(f"--{name}", action="store_true", help=purpose)
    return parser.parse_args(argv)


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Merges the options of training into the config, which is returned."""
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.resume is not None:
        cfg.resume = args.resume if args.resume == "auto" else True
        if cfg.resume != "auto":
            cfg.load_from = args.resume
            if not Path(args.resume).is_file():
                raise FileNotFoundError(
                    f"--resume {args.resume}: there is no such checkpoint. `--resume` "
                    f"alone continues from the latest one in {cfg.work_dir}."
                )
        elif not _is_ours(cfg.get("runner_type", SkeletonRunner)):
            cfg.load_from = None  # as mmaction2 does: from it others would resume
    if args.auto_scale_lr:
        if "base_batch_size" not in (cfg.get("auto_scale_lr") or {}):
            raise KeyError(
                f"--auto-scale-lr: {args.config} does not say for which batch size its "
                "learning rate is meant. Add auto_scale_lr=dict(base_batch_size=...)."
            )
        cfg.auto_scale_lr.enable = True
    _merge_amp(cfg, args)
    _merge_randomness(cfg, args)
    return cfg


def _is_ours(runner: Any) -> bool:
    kind = RUNNERS.get(runner) if isinstance(runner, str) else runner
    return isinstance(kind, type) and issubclass(kind, SkeletonRunner)


def _merge_amp(cfg: Config, args: argparse.Namespace) -> None:
    """Turns mixed precision on; checks that it can be had."""
    wrapper = cfg.optim_wrapper
    kind = wrapper.get("type", "OptimWrapper")
    if args.amp:
        if kind not in ("OptimWrapper", "AmpOptimWrapper"):
            raise ValueError(
                f"--amp: {args.config} has optim_wrapper.type={kind!r}, and only "
                "'OptimWrapper' can be replaced by 'AmpOptimWrapper'."
            )
        wrapper.type = kind = "AmpOptimWrapper"
        wrapper.setdefault("loss_scale", "dynamic")
    if kind == "AmpOptimWrapper" and compat.lacks_accelerator():
        source = "--amp" if args.amp else f"{args.config}: optim_wrapper.type={kind!r}"
        raise ValueError(
            f"{source}: mixed precision needs an accelerator and there is none. Train "
            "in single precision: leave --amp out, or give --cfg-options "
            "optim_wrapper.type=OptimWrapper. bfloat16 runs on a CPU, if not faster, "
            "with optim_wrapper.type=BFloat16OptimWrapper."
        )


def _merge_randomness(cfg: Config, args: argparse.Namespace) -> None:
    """Sets the seed and its like; what is not given stays as in the config."""
    randomness = {"seed": None, **(cfg.get("randomness") or {})}
    for name in ("seed", "diff_rank_seed", "deterministic"):
        value = getattr(args, name)
        if value is not None and value is not False:  # a seed of 0 is one
            randomness[name] = value
    if randomness.get("deterministic"):
        # cuBLAS is deterministic with a fixed workspace only.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    cfg.randomness = randomness


def main(argv: Sequence[str] | None = None) -> None:
    """Trains as the command line says."""
    args = parse_args(argv)
    with launch.told_errors():
        cfg = merge_args(launch.load_config(args), args)
    with launch.process_group(cfg):
        launch.build_runner(cfg).train()


if __name__ == "__main__":
    main()
