#!/usr/bin/env python
r"""Train without some classes, and name these by the similarity of texts.

Examples:
    python tools/zero_shot.py configs/gap/ctrgcn_nwucla_cpu.py --unseen 2 5 7
    python tools/zero_shot.py configs/gap/ctrgcn_nwucla_cpu.py --splits 3 \
        --num-unseen 3 --epochs 20 --work-dir work_dirs/zero_shot
    python tools/zero_shot.py configs/gap/ctrgcn_utd_mhad_cpu.py \
        --across configs/gap/ctrgcn_utkinect_cpu.py --same "stand to sit=sit down"

A training that has ended is never repeated, one that was killed goes on from its last
checkpoint: give the same command again. See docs/zero_shot.md.
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gap_mmaction.experiments import (
    Interrupted,
    Launcher,
    WorkDirLock,
    WorkDirLockedError,
    interruptible,
)
from gap_mmaction.experiments.zero_shot import (
    ClassSplit,
    ZeroShotConfigs,
    ZeroShotExperiment,
    draw_splits,
    match_sets,
    to_json,
    to_markdown,
)
from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.command_line import count, natural, not_negative

ROOT = Path(__file__).resolve().parents[1]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "config", type=Path, help="config of all classes, with a text branch"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--unseen",
        type=natural,
        nargs="+",
        action="append",
        metavar="CLASS",
        help="classes to leave out of training, 0-based; once for each split",
    )
    chosen.add_argument(
        "--splits",
        type=count,
        metavar="N",
        help="instead of --unseen: draw so many splits, such that classes are unseen "
        "as evenly as can be (default: 1)",
    )
    parser.add_argument(
        "--num-unseen",
        type=count,
        default=3,
        metavar="N",
        help="unseen classes of a drawn split (default: %(default)s)",
    )
    chosen.add_argument(
        "--across",
        type=Path,
        nargs="+",
        default=[],
        metavar="CONFIG",
        help="instead: train on all classes, and name those that training lacks of the "
        "test clips of other data sets of the same joints, by their configs",
    )
    parser.add_argument(
        "--same",
        type=lambda pair: pair.partition("=")[::2],
        nargs="+",
        default=[],
        metavar="TRAINED=OTHER",
        help="--across: classes that training does not lack, in other words",
    )
    parser.add_argument(
        "--seed",
        type=natural,
        default=0,
        help="of the draw, and of the trainings (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs",
        type=count,
        metavar="N",
        help="with the schedule in proportion (default: the config's)",
    )
    parser.add_argument(
        "--ann-file", type=Path, metavar="FILE.pkl", help="default: the config's"
    )
    parser.add_argument(
        "--folds",
        type=count,
        default=10,
        metavar="N",
        help="one N-th of the training clips, whole performers where their names tell "
        "them, is held out to fit what is done against the lead of seen classes "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--max-loss",
        type=not_negative,
        default=0.1,
        metavar="SHARE",
        help="calibrated stacking: the share of the held-out clips named right that "
        "may be lost to unseen classes (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        type=not_negative,
        nargs="+",
        metavar="W",
        help="of the slots, in the order of the preset, when all name a clip together "
        "(default: all alike)",
    )
    parser.add_argument("--device", default="cpu", help="to score on (%(default)s)")
    parser.add_argument(
        "--batch-size", type=count, default=32, metavar="N", help="to score with (32)"
    )
    parser.add_argument(
        "--work-dir",
        type=Path,
        metavar="DIR",
        help="default: work_dirs/zero_shot/NAME_OF_THE_CONFIG",
    )
    parser.add_argument(
        "--no-train",
        action="store_true",
        help="train and score nothing, evaluate what is there (with other --weights)",
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings of the config to replace",
    )
    args = parser.parse_args(argv)
    if args.same and not args.across:
        parser.error("--same is of --across")
    if args.max_loss >= 1:
        parser.error(f"--max-loss {args.max_loss}: must be below 1")
    if args.folds < 2:
        parser.error("--folds 1: would leave nothing to train on")
    if args.work_dir is None:
        args.work_dir = Path("work_dirs", "zero_shot", args.config.stem)
    return args


def make_experiment(args: argparse.Namespace, root: Path) -> ZeroShotExperiment:
    """Put together what the command line asks for."""
    configs = ZeroShotConfigs(
        *(args.config, args.ann_file, args.epochs, args.cfg_options, args.folds)
    )
    others = []
    if args.across:
        across = [ZeroShotConfigs(path) for path in args.across]
        others = match_sets(configs, across, args.same)
        print(*(other.title for other in others), sep="\n", flush=True)
        splits = [ClassSplit(configs.num_classes, ())]
    elif args.unseen:
        splits = [ClassSplit(configs.num_classes, tuple(c)) for c in args.unseen]
        splits = list(dict.fromkeys(splits))
    else:
        splits = draw_splits(
            configs.num_classes, args.splits or 1, args.num_unseen, args.seed
        )
    return ZeroShotExperiment(
        *(splits, args.seed, args.work_dir.absolute(), configs),
        Launcher(root / "tools"),
        args.device,
        args.batch_size,
        say=lambda line: print(line, flush=True),
        others=others,
    )


def describe(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Say how the results are made, in words and as settings."""
    settings = {
        "config": str(args.config),
        "epochs": args.epochs,
        "seed": args.seed,
        "cfg_options": args.cfg_options,
        "folds": args.folds,
        "max_loss": args.max_loss,
        "weights": args.weights,
        "same": args.same,
    }
    words = [f"`{args.config}`, seed {args.seed}"]
    if args.epochs is not None:
        words.append(f"--epochs {args.epochs}, the schedule in proportion")
    if args.cfg_options:
        words.append(f"`--cfg-options {' '.join(args.cfg_options)}`")
    words.append(
        f"fitted on one of {args.folds} folds, the constant with at most "
        f"{100 * args.max_loss:g} % lost"
    )
    if args.weights:
        words.append(f"weights {' '.join(f'{weight:g}' for weight in args.weights)}")
    return "; ".join(words) + ".", settings


def report(experiment: ZeroShotExperiment, args: argparse.Namespace) -> str:
    """Evaluate what has ended, and write and give the tables."""
    results = experiment.results(args.weights, args.max_loss)
    how, settings = describe(args)
    text = to_markdown(results, how)
    for name, content in (
        ("zero_shot.md", text),
        ("zero_shot.json", to_json(results, settings)),
    ):
        with atomic_file(args.work_dir / name) as stream:
            stream.write(content.encode())
    return text


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the tool.

    Args:
        argv: The command line, ``sys.argv`` by default.
        root: The folder with ``tools``.

    Returns:
        The exit status: 0; 1 if runs have failed or the settings do not fit; 128 and
        the signal's number if it was interrupted.
    """
    args = parse_args(argv)
    lock = WorkDirLock(args.work_dir.absolute(), tool="zero_shot")
    try:
        with interruptible(), lock:
            experiment = make_experiment(args, root)
            failed = 0
            if not args.no_train:
                failed = experiment.run(lock.files, lambda: report(experiment, args))
            print(f"\n{report(experiment, args)}")
            print(f"written: {args.work_dir / 'zero_shot.md'} and .json beside it")
            if failed:
                print(f"{failed} of {len(experiment.specs)} runs have failed")
            return int(bool(failed))
    except Interrupted as signal:
        print(f"\nstopped by {signal}: the same command goes on from here")
        return 128 + signal.number
    except (
        *(KeyError, ValueError, TypeError, OSError, RuntimeError),
        *(WorkDirLockedError, pickle.UnpicklingError),
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
