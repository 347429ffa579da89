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
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gap_mmaction.evaluation import combine_slots
from gap_mmaction.experiments.launcher import Launcher, sole_use
from gap_mmaction.experiments.zero_shot.unseen_classes import (
    ClassSplit,
    ZeroShotConfigs,
    draw_splits,
    match_sets,
)
from gap_mmaction.experiments.zero_shot.zero_shot_runs import ZeroShotExperiment
from gap_mmaction.experiments.zero_shot.zero_shot_text import to_json, to_markdown
from gap_mmaction.models.text.prompt_bank import read_slots
from gap_mmaction.utils.command_line import (
    add_cfg_options,
    count,
    natural,
    not_negative,
    tells_errors,
)
from gap_mmaction.utils.files import write_file

ROOT = Path(__file__).resolve().parents[1]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add, chosen = parser.add_argument, parser.add_mutually_exclusive_group()
    add("config", type=Path, help="config of all classes, with a text branch")
    chosen.add_argument(
        "--unseen",
        type=natural,
        nargs="+",
        action="append",
        metavar="CLASS",
        help="classes to leave out of training, 0-based; once for each split",
    )
    drawn = (
        "instead of --unseen: draw so many splits, such that classes are unseen as "
        "evenly as can be (default: 1)"
    )
    chosen.add_argument("--splits", type=count, metavar="N", help=drawn)
    across = (
        "instead: train on all classes of CONFIG, then name the test clips of these "
        "configs' data sets; classes that training lacks count as unseen"
    )
    chosen.add_argument(
        "--across", type=Path, nargs="+", default=[], metavar="CONFIG", help=across
    )
    unseen = "unseen classes of a drawn split (default: %(default)s)"
    add("--num-unseen", type=count, default=3, metavar="N", help=unseen)
    add(
        "--same",
        type=lambda pair: pair.partition("=")[::2],
        nargs="+",
        default=[],
        metavar="TRAINED=OTHER",
        help="--across: labels that mean the same action, so that it counts as seen",
    )
    seed = "of the draw, and of the trainings (default: %(default)s)"
    add("--seed", type=natural, default=0, help=seed)
    epochs = "with the schedule in proportion (default: the config's)"
    add("--epochs", type=count, metavar="N", help=epochs)
    add("--ann-file", type=Path, metavar="FILE.pkl", help="default: the config's")
    held_out = (
        "one N-th of the training clips, whole performers where their names tell them, "
        "is held out to fit what is done against the lead of seen classes (default: "
        "%(default)s)"
    )
    add("--folds", type=count, default=10, metavar="N", help=held_out)
    lost = (
        "calibrated stacking: the share of the held-out clips named right that may be "
        "lost to unseen classes (default: %(default)s)"
    )
    add("--max-loss", type=not_negative, default=0.1, metavar="SHARE", help=lost)
    slots = (
        "of the slots, in the order of the preset, when all name a clip together "
        "(default: all alike)"
    )
    add("--weights", type=not_negative, nargs="+", metavar="W", help=slots)
    add("--device", default="cpu", help="to score on (%(default)s)")
    add("--batch-size", type=count, default=32, metavar="N", help="to score with (32)")
    work_dir = "default: work_dirs/zero_shot/NAME_OF_THE_CONFIG"
    add("--work-dir", type=Path, metavar="DIR", help=work_dir)
    no_train = "train and score nothing, evaluate what is there (with other --weights)"
    add("--no-train", action="store_true", help=no_train)
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.same and not args.across:
        parser.error("--same is of --across")
    if args.max_loss >= 1:
        parser.error(f"--max-loss {args.max_loss}: must be below 1")
    if args.folds < 2:
        parser.error("--folds 1: would leave nothing to train on")
    args.work_dir = args.work_dir or Path("work_dirs", "zero_shot", args.config.stem)
    args.cfg_options = args.cfg_options or {}
    return args


def make_experiment(args: argparse.Namespace, root: Path) -> ZeroShotExperiment:
    """Puts together what the command line asks for."""
    configs = ZeroShotConfigs(
        *(args.config, args.ann_file, args.epochs, args.cfg_options, args.folds)
    )
    prompts = configs.settings.model.text_branch.prompts
    slots = read_slots(prompts.get("preset"), prompts.get("slots"))
    # Refuses wrong weights now, and not after a training.
    combine_slots(np.zeros((1, len(slots), 1)), args.weights)
    classes, others = configs.num_classes, []
    if args.across:
        across = [ZeroShotConfigs(path) for path in args.across]
        others = match_sets(configs, across, args.same)
        print(*(other.title for other in others), sep="\n", flush=True)
        splits = [ClassSplit(classes, ())]
    elif args.unseen:
        splits = [ClassSplit(classes, tuple(unseen)) for unseen in args.unseen]
    else:
        splits = draw_splits(classes, args.splits or 1, args.num_unseen, args.seed)
    return ZeroShotExperiment(
        *(list(dict.fromkeys(splits)), args.seed, args.work_dir.absolute(), configs),
        *(Launcher(root / "tools"), args.device, args.batch_size, others),
    )


def report(experiment: ZeroShotExperiment, args: argparse.Namespace) -> str:
    """Evaluates what has ended, writes the tables, and returns them."""
    results = experiment.results(args.weights, args.max_loss)
    words = [f"`{args.config}`, seed {args.seed}"]
    if args.epochs is not None:
        words.append(f"--epochs {args.epochs}, the schedule in proportion")
    if args.cfg_options:
        options = " ".join(f"{key}={value}" for key, value in args.cfg_options.items())
        words.append(f"`--cfg-options {options}`")
    lost = f"{100 * args.max_loss:g} %"
    words.append(
        f"fitted on one of {args.folds} folds, the constant with at most {lost} lost"
    )
    if args.weights:
        words.append(f"weights {' '.join(f'{weight:g}' for weight in args.weights)}")
    text = to_markdown(results, f"{'; '.join(words)}.")
    settings = ("epochs", "seed", "cfg_options", "folds", "max_loss", "weights", "same")
    how = {"config": str(args.config), **{key: getattr(args, key) for key in settings}}
    for suffix, content in (("md", text), ("json", to_json(results, how))):
        write_file(args.work_dir / f"zero_shot.{suffix}", content)
    return text


@tells_errors
def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Runs the tool with the ``tools`` of a folder; returns 1 if runs have failed."""
    args = parse_args(argv)
    with sole_use(args.work_dir.absolute(), "zero_shot"):
        experiment = make_experiment(args, root)
        failed = []
        if not args.no_train:
            failed = experiment.run(lambda _: report(experiment, args))
        print(f"\n{report(experiment, args)}")
    print(f"written: {args.work_dir / 'zero_shot.md'} and .json beside it")
    print("".join(f"failed: {failure}\n" for failure in failed), end="")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
