"""Tests a checkpoint: ``python tools/test.py CONFIG CHECKPOINT [options]``.

The options are those of mmaction2's ``tools/test.py``. Nothing of the text side is
built, so neither a text model nor its package is needed.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import get_world_size, is_main_process
from mmengine.hooks import Hook
from mmengine.utils import ProgressBar

from gap_mmaction.engine import launch
from gap_mmaction.models.recognizers import drop_text_branch


class ClipProgress(Hook):
    """Shows how many clips are tested."""

    def before_test(self, runner: Any) -> None:
        """Begins."""
        total = len(runner.test_dataloader.dataset)
        self.bar = ProgressBar(total, file=sys.stdout)

    def after_test_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Counts the batches of all processes, but not what fills up the last one."""
        left = self.bar.task_num - self.bar.completed
        self.bar.update(min(left, len(outputs) * get_world_size()))


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line, ``sys.argv`` by default."""
    parser = argparse.ArgumentParser(description="Test a checkpoint.")
    parser.add_argument("config", help="config file")
    parser.add_argument("checkpoint", help="checkpoint file or URL")
    launch.add_common_arguments(parser)
    parser.add_argument(
        "--dump", metavar="FILE.pkl", help="write the scores of all samples here"
    )
    parser.add_argument("--show", action="store_true", help="show samples in a window")
    parser.add_argument(
        "--show-dir", metavar="DIR", help="folder for pictures of the samples"
    )
    add = parser.add_argument
    add("--interval", type=int, default=1, help="show every n-th sample")
    add("--wait-time", type=float, default=2, help="seconds that a window stays")
    add("--verbose", action="store_true", help="show the log, which is a file besides")
    args = parser.parse_args(argv)
    if args.dump is not None and Path(args.dump).suffix not in (".pkl", ".pickle"):
        parser.error(f"--dump {args.dump}: must end in .pkl or .pickle")
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Merges the options into the config, which is returned; drops the text branch."""
    if "://" not in args.checkpoint and not Path(args.checkpoint).is_file():
        raise FileNotFoundError(f"checkpoint {args.checkpoint} is not there")
    cfg.load_from, cfg.resume = args.checkpoint, False
    if not args.verbose:
        cfg.console_level = logging.WARNING
    drop_text_branch(cfg)

    if args.dump is not None:
        # Now, and not when all is tested.
        folder = Path(args.dump).absolute().parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"--dump {args.dump}: {error}") from error
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"--dump {args.dump}: no file can be written there")
        evaluator = cfg.get("test_evaluator")
        if evaluator is None:
            raise ValueError(
                f"--dump: {args.config} has no test_evaluator, so nothing is tested"
            )
        evaluators = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
        # A config that an earlier test has written may name that one's file.
        evaluators = [item for item in evaluators if item["type"] != "DumpResults"]
        dump = {"type": "DumpResults", "out_file_path": args.dump}
        cfg.test_evaluator = [*evaluators, dump]

    if args.show or args.show_dir is not None:
        hook = cfg.get("default_hooks", {}).get("visualization")
        if hook is None:
            raise ValueError(
                f"--show, --show-dir: {args.config} has no hook that draws. Add "
                "default_hooks=dict(visualization=dict(type='VisualizationHook'))."
            )
        hook.update(enable=True, show=args.show, out_dir=args.show_dir)
        hook.update(interval=args.interval, wait_time=args.wait_time)
    return cfg


def main(argv: Sequence[str] | None = None) -> None:
    """Tests as the command line says."""
    args = parse_args(argv)
    with launch.told_errors():
        cfg = merge_args(launch.load_config(args), args)
    with launch.process_group(cfg):
        runner = launch.build_runner(cfg)
        told = is_main_process() and not args.verbose
        if told:
            runner.register_hook(ClipProgress())
        metrics, folder = runner.test(), runner.log_dir
        # With the model, which holds the process group, while that is there.
        del runner
    if told:
        print()
        for name, value in metrics.items():
            print(f"{name}: {value:.4f}")
        if args.dump is not None:
            print(f"scores: {args.dump}")
        print(f"log: {folder}")


if __name__ == "__main__":
    main()
