"""Models that ship, and the options of command lines that name one."""

from __future__ import annotations

import json
from argparse import Namespace, _ActionsContainer
from pathlib import Path
from typing import Any

from mmengine.config import Config
from safetensors import SafetensorError, safe_open

from .command_line import read_config
from .config_parts import did_you_mean
from .files import find_shipped_file, shipping_roots
from .safetensors_checkpoint import SUFFIX

FOLDER = "data/weights"


def find_shipped_model(name: str) -> tuple[Path, Path]:
    """Finds config and weights by a file's name in ``data/weights``, as ``nwucla``.

    Raises:
        FileNotFoundError: If the config is not there.
        ValueError: If no such model ships, or its file names no config.
    """
    known: dict[str, Path] = {}
    for root in reversed(shipping_roots()):
        known |= {path.stem: path for path in (root / FOLDER).glob(f"*{SUFFIX}")}
    if name not in known:
        raise ValueError(
            f"no model {name!r} ships{did_you_mean(name, list(known))}; there are "
            f"{', '.join(sorted(known)) or 'none'} ({FOLDER}). For a model of your own "
            "give its config and its checkpoint"
        )
    config = _config_of(known[name])
    if not isinstance(config, str):
        raise ValueError(
            f"{known[name]} is broken or names no config; publish it with the --config "
            "of tools/publish_model.py"
        )
    path = find_shipped_file(config)
    if not path.is_file():
        raise FileNotFoundError(f"{known[name]}: its config {config} is not there")
    return path, known[name]


def _config_of(file: Path) -> Any:
    """Reads a file's header, which names its config, without its tensors."""
    try:
        with safe_open(file, framework="pt") as content:
            return json.loads(content.metadata()["gap_mmaction.meta"])["config"]
    except (SafetensorError, LookupError, TypeError, ValueError):
        return None


def add_model_arguments(parser: _ActionsContainer) -> None:
    """Adds ``--config`` and ``--checkpoint``, and ``--model`` for both."""
    parser.add_argument("--config", help="config of the model")
    parser.add_argument("--checkpoint", help="checkpoint file or URL")
    parser.add_argument(
        "--model",
        metavar="NAME",
        help=f"a model that ships, in place of both: the name of a file in {FOLDER}",
    )


def read_model_config(args: Namespace, required: bool = True) -> Config:
    """Reads the config of a command line; ``args`` gets the files of ``--model``.

    Raises:
        OSError: If a file is not there.
        ValueError: If there is no model, or more than one.
    """
    given = [args.config, args.checkpoint]
    if args.model is not None:
        if any(given):
            raise ValueError("--model takes the place of --config and --checkpoint")
        args.config, args.checkpoint = map(str, find_shipped_model(args.model))
    elif required and not all(given):
        raise ValueError("give --config and --checkpoint, or --model")
    return read_config(args.config, args.cfg_options)
