"""Configs, and the option of command lines that replaces settings of them."""

from __future__ import annotations

import argparse
import copy
import inspect
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Union

from mmengine.config import Config
from mmengine.runner import Runner

from .config_action import ConfigAction
from .config_keys import did_you_mean

ConfigSource = Union[str, "PathLike[str]", Config]


def add_cfg_options(parser: argparse._ActionsContainer) -> None:
    """Add mmengine's ``--cfg-options KEY=VALUE ...``, a dict or ``None`` when parsed.

    Args:
        parser: Gets the option.
    """
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=ConfigAction,
        metavar="KEY=VALUE",
        help="settings of the config to replace, e.g. train_cfg.max_epochs=40 "
        "model.text_branch=None 'key=[a,b]' 'key=a b'",
    )


def read_config(
    config: ConfigSource, options: Mapping[str, Any] | None = None
) -> Config:
    """Read a config, or copy one, and merge settings into it.

    Args:
        config: A path, or the config itself, which is left as it is.
        options: What ``--cfg-options`` gives.

    Returns:
        The config. Configs are code: a file is executed.

    Raises:
        FileNotFoundError: If there is no such file.
        TypeError: If it is neither.
        ValueError: If an option names nothing that the config has, but almost.
    """
    if isinstance(config, Config):
        read = copy.deepcopy(config)
    elif isinstance(config, (str, PathLike)):
        path = Path(config)
        if not path.is_file():
            beside = [file.name for file in path.parent.glob("*.py")]
            near = did_you_mean(path.name, beside)
            raise FileNotFoundError(f"config {path} is not there{near}")
        read = Config.fromfile(config)
    else:
        raise TypeError(
            f"a config is a path or an mmengine Config, got {type(config).__name__}"
        )
    if options:
        _check_names(options, read)
        read.merge_from_dict(dict(options))
    return read


def _check_names(options: Mapping[str, Any], config: Config) -> None:
    """Refuse misspelt names: MMEngine adds them, and nothing ever reads them."""
    for key in options:
        name = key.partition(".")[0]
        if name in config or name in inspect.signature(Runner.__init__).parameters:
            continue
        near = did_you_mean(name, list(config))
        if near:
            raise ValueError(f"--cfg-options {key}: the config has no {name!r}{near}")
