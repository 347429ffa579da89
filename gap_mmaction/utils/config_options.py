"""The option of command lines that replaces settings of a config."""

from __future__ import annotations

import argparse

from mmengine.config import DictAction


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
