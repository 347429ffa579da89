"""What the command line tools share: options, config, processes and Runner."""

from __future__ import annotations

import gc
import inspect
import os
import re
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import mmaction.registry
from mmaction.registry import (
    DATA_SAMPLERS,
    EVALUATOR,
    HOOKS,
    LOOPS,
    METRICS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    PARAM_SCHEDULERS,
    RUNNERS,
)
from mmengine.config import Config
from mmengine.registry import Registry
from mmengine.runner import Runner
from torch import distributed
from torch.utils.data import DataLoader

from gap_mmaction import compat
from gap_mmaction.utils.command_line import (
    USER_ERRORS,
    add_cfg_options,
    read_config,
    text_of,
)
from gap_mmaction.utils.config_parts import did_you_mean

from .skeleton_runner import SkeletonRunner

_PACKAGE = Path(compat.__file__).parent
_UNEXPECTED = re.compile(
    r"(\w+)\.__init__\(\) got an unexpected keyword argument '([^']+)'"
)


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
        raise SystemExit(f"error: {text_of(error)}") from error


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
        raise SystemExit(f"error: {text_of(error)}") from error
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


@contextmanager
def named_settings(config: Config) -> Iterator[None]:
    """Adds to the TypeError of a class that refuses a setting where that stands."""
    try:
        yield
    except TypeError as error:
        found = _UNEXPECTED.search(str(error))
        if found is None:
            raise
        kind, key = found.groups()
        found_at = [
            (f"{path}{key}", _name_of_type(settings))
            for path, settings in _dicts(dict(config.items()))
            if key in settings
        ]
        # Some dicts have no type: what they are for is known where they are used.
        places = [path for path, name in found_at if name == kind]
        places = places or [path for path, name in found_at if name is None]
        if not places:
            raise
        takes = _arguments(kind)
        near, where = did_you_mean(key, takes), " or ".join(places)
        what = f"takes {takes}" if takes else "does not take it"
        raise TypeError(f"{where}: unknown setting{near}; {kind} {what}") from error


# What mmengine's functions that build optimizers and loaders take besides, and where.
_OF_BUILDERS = {
    "constructor": "optim_wrapper.",
    "paramwise_cfg": "optim_wrapper.",
    "num_batch_per_epoch": "_dataloader.",
}


# What a Runner builds from which place of a config.
_REGISTRIES = {
    r"optim_wrapper\.": (OPTIM_WRAPPERS,),
    r"optim_wrapper\.(\w+\.)?optimizer\.": (OPTIMIZERS,),
    r"param_scheduler\.(\w+\.)*": (PARAM_SCHEDULERS,),
    r"(default|custom)_hooks\.\w+\.": (HOOKS,),
    r"\w+_dataloader\.(batch_)?sampler\.": (DATA_SAMPLERS,),
    r"(val|test)_evaluator\.(\w+\.)*": (METRICS, EVALUATOR),
    r"(train|val|test)_cfg\.": (LOOPS,),
}


def unknown_settings(settings: Any) -> Iterator[str]:
    """Yields a line for each setting that its class does not take.

    So it does for what a Runner has no class for. Classes that take any setting are
    left out, and those of models and data sets that are not known: whoever builds
    these says so.
    """
    for place, found in _dicts(settings):
        kind = _name_of_type(found)
        if isinstance(found.get("type"), str):
            matching = (r for p, r in _REGISTRIES.items() if re.fullmatch(p, place))
            registries = next(matching, ())
            if registries and not any(r.get(found["type"]) for r in registries):
                near = did_you_mean(found["type"], chain(*map(_names, registries)))
                yield f"{place}type={kind!r}: there is no such class{near}"
        takes = [] if kind is None else _arguments(kind, only_strict=True)
        if place.endswith("_dataloader.") and kind is None:
            kind, takes = "DataLoader", list(inspect.signature(DataLoader).parameters)
        for key in found if takes else ():
            taken_there = key in _OF_BUILDERS and place.endswith(_OF_BUILDERS[key])
            if key not in (*takes, "type", "_scope_") and not taken_there:
                near = did_you_mean(key, takes)
                yield f"{place}{key}: unknown setting{near}; {kind} takes {takes}"


def _dicts(settings: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields every dict of a config, with its path."""
    items: Any = ()
    if isinstance(settings, Mapping):
        yield path, settings
        items = settings.items()
    elif isinstance(settings, (list, tuple)):
        items = enumerate(settings)
    for name, value in items:
        yield from _dicts(value, f"{path}{name}.")


def _name_of_type(settings: Mapping[str, Any]) -> str | None:
    kind = settings.get("type")
    name: str | None = getattr(kind, "__name__", kind)
    return name


def _names(registry: Registry) -> Iterator[str]:
    yield from registry.module_dict
    if registry.parent is not None:
        yield from _names(registry.parent)


def _arguments(kind: str, only_strict: bool = False) -> list[str]:
    """Lists what a registered class takes; nothing if it takes any, when strict."""
    everything = vars(mmaction.registry).values()
    own = [item for item in everything if isinstance(item, Registry)]
    for registry in (*own, *(item.parent for item in own if item.parent is not None)):
        # Not by `get`, which imports all that a registry may have.
        found = registry.module_dict.get(kind)
        if isinstance(found, type):
            parameters = inspect.signature(found).parameters.values()
            rest = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
            if only_strict and any(item.kind is rest[0] for item in parameters):
                return []
            return [item.name for item in parameters if item.kind not in rest]
    return []
