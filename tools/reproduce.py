#!/usr/bin/env python
r"""Run a table of the paper: every training that is missing, then the table.

Examples:
    python tools/reproduce.py --table 1a --data nwucla-cpu --ann-file data/nwucla.pkl
    python tools/reproduce.py --table 2 --seeds 3 --gpus 1
    python tools/reproduce.py --table 4 --launcher slurm --partition gpu --gpus 8
    python tools/reproduce.py --table low-shot --data utd_mhad-cpu nwucla-cpu
    python tools/reproduce.py --table lambda --data ntu120-xsub --gpus 8 --dry-run

A run that has ended is never repeated, one that was killed goes on from its last
checkpoint: give the same command again. See docs/reproduce.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gap_mmaction.experiments import paper_tables
from gap_mmaction.experiments.experiment import Experiment, plan_text
from gap_mmaction.experiments.few_clips import (
    ARMS,
    GAINS,
    board_table,
    low_shot_table,
    streams_table,
)
from gap_mmaction.experiments.launcher import Launcher, sole_use
from gap_mmaction.experiments.table_configs import PARTS, TableConfigs
from gap_mmaction.experiments.tables import DATA_SETS, Table
from gap_mmaction.experiments.variants import BACKBONES, LOSSES
from gap_mmaction.utils.command_line import add_cfg_options, count, tells_errors

ROOT = Path(__file__).resolve().parents[1]
ABLATIONS, COMPARISONS = paper_tables.ABLATIONS, paper_tables.COMPARISONS
TABLES = (*ABLATIONS[:-1], *COMPARISONS, ABLATIONS[-1], *GAINS)
# Options that not all tables have.
_TABLES_OF = {
    **{"shots": ("low-shot",), "backbones": ("board",)},
    **dict.fromkeys(("arms", "split_pair", "runs_csv"), GAINS),
}


def clips(text: str) -> int | None:
    """Reads a number of clips, None for ``all``."""
    return None if text == "all" else count(text)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--table", required=True, choices=TABLES)
    sets, own = list(DATA_SETS), ", ".join(GAINS)
    many = f"two for Tables 3 and 4, any number for {own}"
    known = f"{', '.join(sets)}; {many} (default: the paper's)"
    add("--data", nargs="+", choices=sets, metavar="NAME", help=known)
    add("--ann-file", type=Path, metavar="FILE.pkl", help="default: the config's")
    seeds = "seeds 0 to N-1 (default: 5; 1 for lambda, which has a run for each fold)"
    add("--seeds", type=count, metavar="N", help=seeds)
    length = parser.add_mutually_exclusive_group()
    epochs = "with the schedule in proportion (default: the config's)"
    length.add_argument("--epochs", type=count, metavar="N", help=epochs)
    steps = "the length in iterations, in place of --epochs (to half an epoch)"
    length.add_argument("--steps", type=count, metavar="N", help=steps)
    few = "low-shot: training clips of each class (default: 5 10 20 all)"
    add("--shots", nargs="+", type=clips, metavar="N", help=few)
    compared = f"{own}: what is compared (default: plain random gap; board, streams: "
    add("--arms", nargs="+", choices=list(ARMS), help=f"{compared}plain gap)")
    nets = "board: only these (default: all four)"
    add("--backbones", nargs="+", choices=BACKBONES, help=nets)
    pair = f"{own}: `fit dev` to choose settings without a look at the test split "
    pair += "(default: train val)"
    names = ("TRAIN", "TEST")
    add("--split-pair", nargs=2, metavar=names, help=pair)
    ended = (
        f"{own}: a line for each run that has ended, for tools/analysis/gains.py; "
        "runs that have one already are not made"
    )
    add("--runs-csv", type=Path, metavar="CSV", help=ended)
    form = (
        "form of the contrastive loss: the paper's, the public implementation's with "
        "its lambda, or both (default: paper)"
    )
    add("--loss", nargs="+", choices=LOSSES, default=LOSSES[:1], help=form)
    share = (
        "processes of a training, which share the recipe's batch (default: 1); without "
        "a GPU, processes on the CPU"
    )
    add("--gpus", type=count, default=1, metavar="N", help=share)
    where = "where trainings run, one after the other (default: %(default)s)"
    add("--launcher", choices=["local", "slurm"], default="local", help=where)
    add("--partition", help="Slurm's partition")
    add("--job-name", default="gap", help="of the Slurm jobs")
    folder = (
        "runs and tables; tables share it, and the runs in it (default: "
        "work_dirs/reproduce, with --epochs N reproduce-Ne, with --steps N "
        "reproduce-Ns)"
    )
    add("--work-dir", type=Path, metavar="DIR", help=folder)
    add("--dry-run", action="store_true", help="list the runs and their cost")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if (args.launcher == "slurm") != (args.partition is not None):
        parser.error("--launcher slurm and --partition NAME go together")
    for name, tables in _TABLES_OF.items():
        if getattr(args, name) is not None and args.table not in tables:
            option = f"--{name.replace('_', '-')}"
            parser.error(f"{option}: for --table {', '.join(tables)}")
    if args.table in GAINS:
        if args.data is None:
            parser.error(f"--data: name the data sets of --table {args.table}")
        if args.ann_file is not None and len(args.data) > 1:
            parser.error("--ann-file: one file cannot be that of several data sets")
        if args.runs_csv is not None and tuple(args.loss) != LOSSES[:1]:
            parser.error("--runs-csv: its lines are of the paper's form of the loss")
    elif args.table in ABLATIONS and args.data is not None and len(args.data) > 1:
        parser.error(f"--data: Table {args.table} is about one data set")
    control = ["random"] if args.table == "low-shot" else []
    args.arms = args.arms or ["plain", *control, "gap"]
    args.shots = args.shots or [5, 10, 20, None]
    args.backbones = args.backbones or BACKBONES[::-1]
    args.split_pair = tuple(args.split_pair or PARTS)
    args.seeds = args.seeds or (1 if args.table == "lambda" else 5)
    if args.work_dir is None:
        suffix = f"-{args.epochs}e" if args.epochs else ""
        suffix += f"-{args.steps}s" if args.steps else ""
        suffix += "" if args.split_pair == PARTS else f"-{args.split_pair[1]}"
        args.work_dir = Path("work_dirs", f"reproduce{suffix}")
    return args


def make_table(args: argparse.Namespace, configs: TableConfigs) -> Table:
    """Lays the table out for the data sets that are asked for."""
    if args.table in COMPARISONS:
        default = [names[0] for names in COMPARISONS[args.table][1]]
        return paper_tables.comparison_table(args.table, args.data or default)
    if args.table == "board":
        return board_table(args.data, args.backbones, args.arms)
    if args.table == "streams":
        return streams_table(args.data, args.arms)
    if args.table == "low-shot":
        sizes = {name: configs.class_sizes(name) for name in args.data}
        return low_shot_table(args.data, args.shots, args.arms, sizes)
    (name,) = args.data or [paper_tables.ABLATION_DATA_SET]
    return paper_tables.ablation_table(args.table, name, configs.base(name).model)


def make_experiment(args: argparse.Namespace, root: Path) -> Experiment:
    """Puts together what the command line asks for."""
    work_dir, options = args.work_dir.absolute(), args.cfg_options or {}
    configs = TableConfigs(
        *(root / "configs" / "gap", args.ann_file, args.epochs, args.steps, args.gpus),
        *(options, args.split_pair),
        may_lack_data=args.dry_run,
    )
    table = make_table(args, configs).with_losses(args.loss)
    if args.table == "lambda":
        made = configs.use_folds(table.data_sets[0], work_dir / "folds")
        print(made or "", end="\n" if made else "", flush=True)
    epochs = configs.base(table.data_sets[0]).train_cfg.max_epochs
    how = f"{epochs} epochs"
    if args.epochs not in (None, epochs) or args.steps is not None:
        length = f"{args.steps} iterations" if args.steps else f"{args.epochs} of {how}"
        how = f"{length}, with the schedule in proportion"
    if args.split_pair != PARTS:
        how += ", trained on *{}*, tested on *{}*".format(*args.split_pair)
    if options:
        words = " ".join(f"{key}={value}" for key, value in options.items())
        how += f", --cfg-options {words}"
    launcher = Launcher(root / "tools", args.gpus, args.partition, args.job_name)
    seeds = range(args.seeds)
    return Experiment(table, seeds, work_dir, configs, launcher, how, args.runs_csv)


@tells_errors
def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Runs the tool on the ``configs`` of a folder; returns 1 if runs have failed."""
    args = parse_args(argv)
    if args.dry_run:
        print(plan_text(make_experiment(args, root).plan()))
        return 0
    with sole_use(args.work_dir.absolute(), "reproduce"):
        experiment = make_experiment(args, root)
        failures = experiment.run()
    files = " and ".join(map(str, experiment.table_files))
    total = len(experiment.table.runs(experiment.seeds))
    print(f"\n{experiment.text}\nwritten: {files}")
    print(f"{total - len(failures)} of {total} runs have ended, {len(failures)} failed")
    print("".join(f"  {failure}\n" for failure in failures), end="")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
