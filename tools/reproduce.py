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
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

from gap_mmaction.experiments import (
    ABLATIONS,
    ARMS,
    BENCHMARKS,
    COMPARISONS,
    FOLDS,
    GAINS,
    Experiment,
    Failure,
    Interrupted,
    Launcher,
    RunConfigs,
    SplitSizes,
    Table,
    WorkDirLock,
    WorkDirLockedError,
    ablation_table,
    board_table,
    comparison_table,
    interruptible,
    low_shot_table,
    plan_text,
    write_folds,
)
from gap_mmaction.experiments.paper_values import ABLATION_BENCHMARK
from gap_mmaction.experiments.run_configs import PARTS
from gap_mmaction.experiments.variant import LOSSES

ROOT = Path(__file__).resolve().parents[1]
TABLES = (*ABLATIONS[:-1], *COMPARISONS, ABLATIONS[-1], *GAINS)


def clips(text: str) -> int | None:
    """Read a number of clips, None for ``all``."""
    number = None if text == "all" else int(text)
    if number is not None and number < 1:
        raise ValueError("no clips")
    return number


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", required=True, choices=TABLES)
    parser.add_argument(
        "--data",
        nargs="+",
        choices=list(BENCHMARKS),
        metavar="BENCHMARK",
        help=f"{', '.join(BENCHMARKS)}; two for Tables 3 and 4, "
        "any number for low-shot and board (default: the paper's)",
    )
    parser.add_argument(
        "--ann-file", type=Path, metavar="FILE.pkl", help="default: the config's"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="seeds 0 to N-1 (default: 5; 1 for lambda, which has a run for each fold)",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help="with the schedule in proportion (default: the config's)",
    )
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="the length in iterations, in place of --epochs (to half an epoch)",
    )
    parser.add_argument(
        "--shots",
        nargs="+",
        type=clips,
        default=[5, 10, 20, None],
        metavar="N",
        help="low-shot: training clips of each class (default: 5 10 20 all)",
    )
    parser.add_argument(
        "--arms",
        nargs="+",
        choices=list(ARMS),
        default=["plain", "random", "gap"],
        help="low-shot: what is compared (default: plain random gap)",
    )
    parser.add_argument(
        "--split-pair",
        nargs=2,
        default=PARTS,
        metavar=("TRAIN", "TEST"),
        help="low-shot, board: `fit dev` to choose settings without a look at the test "
        "split (default: train val)",
    )
    parser.add_argument(
        "--runs-csv",
        type=Path,
        metavar="CSV",
        help="low-shot, board: a line for each run that has ended, for "
        "tools/analysis/gains.py; runs that have one already are not made",
    )
    parser.add_argument(
        "--loss",
        nargs="+",
        choices=LOSSES,
        default=LOSSES[:1],
        help="form of the contrastive loss: the paper's, the public implementation's "
        "with its lambda, or both (default: paper)",
    )
    parser.add_argument(
        "--gpus",
        type=int,
        default=1,
        metavar="N",
        help="processes of a training, which share the recipe's batch (default: 1); "
        "without a GPU, processes on the CPU",
    )
    parser.add_argument(
        "--launcher",
        choices=["local", "slurm"],
        default="local",
        help="where trainings run, one after the other (default: %(default)s)",
    )
    parser.add_argument("--partition", help="Slurm's partition")
    parser.add_argument("--job-name", default="gap", help="of the Slurm jobs")
    parser.add_argument(
        "--work-dir",
        type=Path,
        metavar="DIR",
        help="runs and tables; tables share it, and the runs in it (default: "
        "work_dirs/reproduce, with --epochs N work_dirs/reproduce-Ne, with --steps N "
        "work_dirs/reproduce-Ns)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="list the runs and their cost"
    )
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="settings for every run; those of model.text_branch where there is one",
    )
    args = parser.parse_args(argv)
    for name in ("seeds", "epochs", "steps", "gpus"):
        value = getattr(args, name)
        if value is not None and value < 1:
            parser.error(f"--{name} {value}: must be at least 1")
    if (args.launcher == "slurm") != (args.partition is not None):
        parser.error("--launcher slurm and --partition NAME go together")
    if args.table in ABLATIONS and args.data is not None and len(args.data) > 1:
        parser.error(f"--data: Table {args.table} is about one benchmark")
    if args.epochs is not None and args.steps is not None:
        parser.error("--epochs and --steps are both lengths; give one")
    args.split_pair = tuple(args.split_pair)
    if args.table in GAINS:
        if args.data is None:
            parser.error(f"--data: name the benchmarks of --table {args.table}")
        if args.ann_file is not None and len(args.data) > 1:
            parser.error("--ann-file: one file cannot be that of several benchmarks")
        if args.runs_csv is not None and len(args.loss) > 1:
            parser.error("--runs-csv: its lines do not tell losses apart; give one")
    elif args.runs_csv is not None or args.split_pair != PARTS:
        parser.error(f"--runs-csv, --split-pair: for --table {' and '.join(GAINS)}")
    if args.seeds is None:
        args.seeds = 1 if args.table == "lambda" else 5
    if args.work_dir is None:
        suffix = "" if args.epochs is None else f"-{args.epochs}e"
        suffix += "" if args.steps is None else f"-{args.steps}s"
        suffix += "" if args.split_pair == PARTS else f"-{args.split_pair[1]}"
        args.work_dir = Path("work_dirs", f"reproduce{suffix}")
    return args


def make_table(args: argparse.Namespace, configs: RunConfigs) -> Table:
    """Lay the table out for the benchmarks that are asked for."""
    if args.table in COMPARISONS:
        default = [names[0] for names in COMPARISONS[args.table][1]]
        table = comparison_table(args.table, args.data or default)
        return table.with_losses(args.loss)
    if args.table in GAINS:
        table = board_table(args.data)
        if args.table == "low-shot":
            sizes = {name: configs.class_sizes(name) for name in args.data}
            table = low_shot_table(args.data, args.shots, args.arms, sizes)
        return table.with_losses(args.loss)
    (benchmark,) = args.data or [ABLATION_BENCHMARK]
    model = configs.base(benchmark, "joint")["model"]
    return ablation_table(args.table, benchmark, model).with_losses(args.loss)


def use_folds(configs: RunConfigs, benchmark: str, work_dir: Path, make: bool) -> None:
    """Point the runs of a cross-validation at its annotation file, and make that."""
    source, split = configs.data_of(benchmark)
    size = source.stat().st_size if source.is_file() else 0
    # Another version of the data makes another file.
    path = work_dir / "folds" / f"{benchmark}_{split}_{size}-bytes.pkl"
    configs.use_folds(benchmark, path, FOLDS)
    if make and not path.is_file():
        print(write_folds(source, split, FOLDS, path), flush=True)


def make_experiment(args: argparse.Namespace, root: Path) -> Experiment:
    """Put together what the command line asks for."""
    work_dir = args.work_dir.absolute()
    configs = RunConfigs(
        root / "configs" / "gap",
        SplitSizes(None if args.dry_run else work_dir / "split_sizes.json"),
        args.ann_file,
        args.epochs,
        args.gpus,
        args.cfg_options,
        may_lack_data=args.dry_run,
        steps=args.steps,
        parts=args.split_pair,
    )
    table = make_table(args, configs)
    if args.table == "lambda":
        use_folds(configs, table.benchmarks[0], work_dir, make=not args.dry_run)
    base = configs.base(table.benchmarks[0], "joint")
    epochs = base["train_cfg"]["max_epochs"]
    how = f"{epochs} epochs"
    if args.epochs not in (None, epochs):
        how = f"{args.epochs} of {epochs} epochs, with the schedule in proportion"
    if args.steps is not None:
        how = f"{args.steps} iterations, with the schedule in proportion"
    if args.split_pair != PARTS:
        how += ", trained on *{}*, tested on *{}*".format(*args.split_pair)
    if args.cfg_options:
        how += f", --cfg-options {' '.join(args.cfg_options)}"
    launcher = Launcher(root / "tools", args.gpus, args.partition, args.job_name)
    return Experiment(
        *(table, range(args.seeds), work_dir, configs, launcher, how),
        say=lambda line: print(line, flush=True),
        runs_csv=args.runs_csv,
    )


def summarize(experiment: Experiment, failures: Sequence[Failure]) -> None:
    """Print the table, and what has failed."""
    print(f"\n{experiment.text()}")
    print("written: {} and {}".format(*experiment.table_files))
    total = len(experiment.specs)
    print(f"{total - len(failures)} of {total} runs have ended, {len(failures)} failed")
    for failure in failures:
        print(f"  {failure.spec}: {failure.error}\n    log: {failure.log}")


def main(argv: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Run the tool.

    Args:
        argv: The command line, ``sys.argv`` by default.
        root: The folder with ``configs`` and ``tools``.

    Returns:
        The exit status: 0; 1 if runs have failed or the settings do not fit; 128 and
        the signal's number if it was interrupted.
    """
    args = parse_args(argv)
    try:
        if args.dry_run:
            print(plan_text(make_experiment(args, root).plan()))
            if WorkDirLock.is_taken(args.work_dir.absolute()):
                print("One of them is under way: the work dir is in use.")
            return 0
        with interruptible(), WorkDirLock(args.work_dir.absolute()) as lock:
            experiment = make_experiment(args, root)
            try:
                failures = experiment.run(lock.files)
            except Interrupted as signal:
                print(f"\n{experiment.text()}")
                print(f"stopped by {signal}: the same command goes on from here")
                return 128 + signal.number
            summarize(experiment, failures)
            return int(bool(failures))
    except Interrupted as signal:
        return 128 + signal.number
    except (ValueError, OSError, WorkDirLockedError, pickle.UnpicklingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
