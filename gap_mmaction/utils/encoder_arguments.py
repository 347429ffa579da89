"""The text encoder on a tool's command line."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from .config_action import ConfigAction
from .paths import name_of_model


def add_encoder_arguments(
    parser: ArgumentParser, purpose: str, *, required: bool = False
) -> None:
    """Add ``--encoder`` and ``--encoder-options``.

    Args:
        parser: The tool's parser.
        purpose: What its help says of the encoder.
        required: Whether it must be given.
    """
    parser.add_argument("--encoder", required=required, help=purpose)
    parser.add_argument(
        "--encoder-options",
        nargs="+",
        action=ConfigAction,
        default={},
        help="its arguments, e.g. model=bert-base-uncased pooling=mean",
    )


def check_encoder_arguments(parser: ArgumentParser, args: Namespace) -> None:
    """End with an error where there are options of no encoder."""
    if args.encoder_options and not args.encoder:
        parser.error("--encoder-options goes with --encoder")


def without_place(options: Mapping[str, Any]) -> dict[str, Any]:
    """Describe an encoder for other machines too.

    Args:
        options: Its config, in which ``model`` may be a folder on this machine.

    Returns:
        The same, the model by the end of its path.
    """
    described = dict(options)
    if described.get("model"):
        described["model"] = name_of_model(str(described["model"]))
    return described
