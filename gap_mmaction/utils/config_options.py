"""Configs, and the option of command lines that replaces settings of them."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Mapping
from os import PathLike
from typing import Any, Union

from mmengine.config import Config, DictAction

ConfigSource = Union[str, "PathLike[str]", Config]


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add mmengine's ``--cfg-options KEY=VALUE ...``, a dict or ``None`` when parsed.

    Args:
        parser: Gets the option.
    """
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="settings of the config to replace",
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
    """
    if isinstance(config, Config):
        read = copy.deepcopy(config)
    elif isinstance(config, (str, PathLike)):
        read = Config.fromfile(config)
    else:
        raise TypeError(
            f"a config is a path or an mmengine Config, got {type(config).__name__}"
        )
    if options:
        read.merge_from_dict(dict(options))
    return read
