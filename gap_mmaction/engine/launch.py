"""What the command line tools share: options, config, processes and Runner."""

from __future__ import annotations

import gc
import os
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmaction.registry import RUNNERS
from mmengine.config import Config
from mmengine.runner import Runner
from torch import distributed

from gap_mmaction import compat
from gap_mmaction.utils.command_line import USER_ERRORS
from gap_mmaction.utils.config_options import add_cfg_options, read_config

from .config_errors import named_settings
from .skeleton_runner import SkeletonRunner

_PACKAGE = Path(compat.__file__).parent


def add_common_arguments(parser: ArgumentParser) -> None:
    """Adds the options that training and testing share, as mmaction2's tools do."""
    parser.add_argument(
        "--work-dir",
        metavar="DIR",
        help="folder for logs, checkpoints and results (default: the config's "
        "work_dir, else ./work_dirs/NAME_OF_THE_CONFIG)",
    )
    add_cfg_options(parser)
    parser.add_argument(
        "--launcher",
        choices=["none", "pytorch", "slurm", "mpi"],
        default="none",
        help="what has started the processes of a distributed run; without a GPU "
        "they communicate through gloo (default: %(default)s)",
    )
    # Passed by torch.distributed.launch, which torchrun has replaced.
    parser.add_argument("--local-rank", "--local_rank", type=int, default=0)


def load_config(args: Namespace) -> Config:
    """Reads the config of the command line; sets its ``launcher`` and ``work_dir``."""
    cfg = read_config(args.config, args.cfg_options)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get("work_dir") is None:
        cfg.work_dir = str(Path("work_dirs", Path(args.config).stem))
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))
    return cfg


@contextmanager
def told_errors() -> Iterator[None]:
    """Ends the program with a line where options or config are at fault."""
    try:
        yield
    except (KeyError, OSError, ValueError) as error:
        raise _exit(error) from error


def _exit(error: Exception) -> SystemExit:
    # The text of a KeyError would be in quotes.
    return SystemExit(f"error: {error.args[0] if type(error) is KeyError else error}")


@contextmanager
def process_group(cfg: Config) -> Iterator[None]:
    """Sets up the processes of a distributed run, and ends their group.

    On a machine with an accelerator this is left to mmengine's Runner. On a CPU
    the group is a gloo group made here, and ``cfg.model_wrapper_cfg`` is set such
    that DistributedDataParallel works there.

    Raises:
        SystemExit: In place of what the checks of this package raise: about data,
            checkpoints, settings. Other errors keep their traceback.
    """
    if compat.init_cpu_process_group(cfg.launcher):
        cfg.model_wrapper_cfg = compat.cpu_model_wrapper_cfg(
            cfg.get("model_wrapper_cfg"), cfg.get("find_unused_parameters", False)
        )
    try:
        with named_settings(cfg):
            yield
    except USER_ERRORS as error:
        raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
        if _PACKAGE not in Path(raised_in).parents:
            raise
        raise _exit(error) from error
    # Not after an error: the other processes would be waited for in vain, and the
    # launcher ends them.
    if distributed.is_initialized():
        # A model that is still there would keep the group's threads until the exit,
        # which now and then aborts.
        gc.collect()
        distributed.destroy_process_group()


def build_runner(cfg: Config) -> Runner:
    """Makes a :class:`SkeletonRunner`, or the Runner that ``cfg.runner_type`` names."""
    if "runner_type" in cfg:
        return RUNNERS.build(cfg)
    return SkeletonRunner.from_cfg(cfg)
