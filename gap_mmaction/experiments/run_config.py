"""The config of a run: what it inherits, what it changes, and what that makes."""

from __future__ import annotations

import argparse
import json
import pprint
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from gap_mmaction.utils.config_options import ConfigAction

_TEXT_BRANCH = "model.text_branch"
_OF_THE_RUN = ("randomness", "work_dir", "resume", "load_from")


@dataclass(frozen=True)
class RunConfig:
    """The config of a run.

    Attributes:
        base: The config that it inherits.
        text: The file to train with.
        resolved: All settings that it makes, the options included, as JSON has them.
        options: ``KEY=VALUE`` for ``--cfg-options``.
        max_epochs: Epochs of the training.
        iterations: Iterations of the whole training; None where the data are not there.
        data: The annotation file.
        processes: Processes of the training.
    """

    base: Path
    text: str
    resolved: dict[str, Any]
    options: tuple[str, ...]
    max_epochs: int
    iterations: int | None
    data: Path
    processes: int

    @property
    def total_batch(self) -> int:
        """Samples of a step, over all processes."""
        return int(self.resolved["train_dataloader"]["batch_size"]) * self.processes


def read_config(path: Path) -> dict[str, Any]:
    """Read a config as plain dicts, without importing what it names.

    Args:
        path: The config.

    Returns:
        Its settings.
    """
    return Config.fromfile(path, import_custom_modules=False).to_dict()


def config_text(
    base: Path, changes: Mapping[str, Any], tool: str = "tools/reproduce.py"
) -> str:
    """Write a config that inherits another one.

    Args:
        base: The config that is inherited.
        changes: What is set to another value; plain Python values.
        tool: Who writes it, for a comment.

    Returns:
        The file's content.
    """
    lines = [f"# Written by {tool}", f"_base_ = {str(base)!r}"]
    for key, value in changes.items():
        lines += ["", f"{key} = {pprint.pformat(value, width=86, sort_dicts=False)}"]
    return "\n".join(lines) + "\n"


def resolve(text: str, options: Sequence[str]) -> dict[str, Any]:
    """Work out all settings of a config file and of options.

    Args:
        text: The file's content, which inherits by absolute paths.
        options: ``KEY=VALUE``.

    Returns:
        The settings, as JSON has them.

    Raises:
        ValueError: If the options do not fit the config.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.py")
        path.write_text(text, "utf-8")
        config = Config.fromfile(path, import_custom_modules=False)
    try:
        config.merge_from_dict(parse_options(options))
    except (TypeError, KeyError, AssertionError) as error:
        raise ValueError(
            f"--cfg-options {' '.join(options)}: does not fit the config ({error})"
        ) from error
    plain: dict[str, Any] = json.loads(json.dumps(config.to_dict(), default=repr))
    return plain


def parse_options(options: Sequence[str]) -> dict[str, Any]:
    """Read ``KEY=VALUE`` the way the tools' ``--cfg-options`` does.

    Raises:
        ValueError: If one has no ``=``.
    """
    for option in options:
        if "=" not in option:
            raise ValueError(f"--cfg-options {option}: not of the form KEY=VALUE")
    parser = argparse.ArgumentParser()
    parser.add_argument("--options", nargs="*", action=ConfigAction)
    return dict(parser.parse_args(["--options", *options]).options or {})


def options_for(options: Sequence[str], has_texts: bool) -> tuple[str, ...]:
    """Leave out what is about the text branch for a run that has none.

    Args:
        options: ``KEY=VALUE``.
        has_texts: Whether the run has a text branch.

    Returns:
        The options for it.
    """
    if has_texts:
        return tuple(options)
    return tuple(
        option for option in options if not option.startswith(f"{_TEXT_BRANCH}.")
    )


def check_options(options: Sequence[str]) -> None:
    """Refuse options that would make all rows of a table alike.

    Raises:
        ValueError: If one is malformed, replaces the text branch or sets the seed.
    """
    for key in parse_options(options):
        if key in (_TEXT_BRANCH, "model"):
            raise ValueError(
                f"--cfg-options {key}=...: the tables set it, with and without GAP"
            )
    refuse_run_settings(options, "--seeds")


def refuse_run_settings(options: Sequence[str], seeds: str) -> None:
    """Refuse options that every run of a work dir has a value of its own for.

    Args:
        options: ``KEY=VALUE``.
        seeds: The tool's option for what of it concerns seeds.

    Raises:
        ValueError: If one is malformed, or sets such a thing.
    """
    for key in parse_options(options):
        if key.split(".")[0] in _OF_THE_RUN:
            raise ValueError(
                f"--cfg-options {key}=...: each run has its own; see {seeds} and "
                "--work-dir"
            )


def keep_two_checkpoints(base: Mapping[str, Any]) -> dict[str, Any]:
    """Give the change by which a config that keeps one checkpoint keeps two.

    MMEngine's own hook removes the last checkpoint before it writes the next: who is
    killed in between would have none.

    Args:
        base: The config.

    Returns:
        The change; nothing where it keeps more, or all.
    """
    checkpoint = (base.get("default_hooks") or {}).get("checkpoint") or {}
    if checkpoint.get("max_keep_ckpts") != 1:
        return {}
    change: dict[str, Any] = nest(("default_hooks", "checkpoint", "max_keep_ckpts"), 2)
    return change


def nest(keys: Sequence[str], value: Any) -> Any:
    """Put a value into a dict in a dict, one for each key."""
    for key in reversed(keys):
        value = {key: value}
    return value


def merge(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Join two dicts of changes, key by key; the second one wins."""
    merged = dict(first)
    for key, value in second.items():
        own = merged.get(key)
        if isinstance(own, Mapping) and isinstance(value, Mapping):
            value = merge(own, value)
        merged[key] = value
    return merged
