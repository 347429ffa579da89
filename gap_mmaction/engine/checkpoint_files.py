"""Which checkpoint a run goes on from."""

from __future__ import annotations

import logging
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import print_log

from gap_mmaction.utils.checkpoint_reader import named_errors
from gap_mmaction.utils.config_parts import (
    differences,
    flatten,
    lookup,
    parse_config_text,
)

LAST = "last_checkpoint"
_NUMBERED = re.compile(r"(?:epoch|iter)_(\d+)\.pth")
_SHOWN = 4
_KEPT = ("optim_wrapper.optimizer", "optim_wrapper.paramwise_cfg", "param_scheduler")
_LENGTH = ("train_cfg.max_epochs", "train_cfg.max_iters")
# Where a scheduler has its steps: numbers, or as floats shares of the training.
PLACES = ("begin", "end", "T_max", "milestones")


class SettingsError(ValueError):
    """A checkpoint of a run with other settings than those that are asked for."""


class BrokenCheckpointError(ValueError):
    """A checkpoint that cannot be read, or from which no run can go on."""


def read_meta(path: Path) -> dict[str, Any]:
    """Reads the ``meta`` (epoch, iter, seed, ...) of a checkpoint to resume from.

    All of the file is read and compared with its checksums.

    Raises:
        FileNotFoundError: If there is no such file.
        BrokenCheckpointError: If it is damaged, or holds weights only.
    """
    try:
        zipped = zipfile.is_zipfile(path)
        if zipped:
            with zipfile.ZipFile(path) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                raise BrokenCheckpointError(f"{path} is damaged: {damaged!r} in it")
        with named_errors(path):
            content = torch.load(
                path, map_location="cpu", weights_only=True, mmap=zipped
            )
    except (FileNotFoundError, BrokenCheckpointError):
        raise
    except Exception as error:  # zipfile raises much besides its own on random bytes
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise BrokenCheckpointError(
            f"{path} ({path.stat().st_size} bytes) cannot be read: after a full disk "
            f"or a killed writer it is cut short; {reason}"
        ) from error
    # The best of a run has no optimizer: its schedules would begin anew.
    needed = {"meta", "state_dict", "message_hub", "optimizer"}
    missing = needed - set(content) if isinstance(content, dict) else needed
    if missing or not {"epoch", "iter"} <= set(content["meta"]):
        raise BrokenCheckpointError(
            f"{path} holds weights, not the state of a run (no {sorted(missing)}). To "
            "start from its weights, set load_from instead of --resume"
        )
    meta: dict[str, Any] = content["meta"]
    return meta


def check_settings(path: Path, meta: Mapping[str, Any], config: str) -> None:
    """Refuses to resume where a checkpoint would overrule the config, given as text.

    Optimizer and schedules are in a checkpoint with their settings, and with the length
    of the training where they end with it or have shares of it; whatever else a config
    says takes effect anew.

    Raises:
        SettingsError: If it has other settings.
    """
    if not isinstance(meta.get("cfg"), str):
        return
    lines = differences(_kept(meta["cfg"], path), _kept(config, "the config"))
    if lines:
        more = f"; {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        raise SettingsError(
            f"{path} is of a run with other settings, which resuming would keep: "
            f"{'; '.join(lines[:_SHOWN])}{more}. Give the settings that "
            "it has, or start anew from its weights: without --resume, in another "
            f"--work-dir, with --cfg-options load_from={path}"
        )


def _kept(text: str, where: str | Path) -> dict[str, Any]:
    """Returns the settings that a checkpoint overrules, or that it must fit."""
    config = parse_config_text(text, where)
    scaling = lookup(config, "auto_scale_lr") or {}
    branch = lookup(config, "model.text_branch")
    kept = {key: lookup(config, key) for key in _KEPT}
    if _spans_the_training(kept["param_scheduler"]):
        kept |= {key: lookup(config, key) for key in _LENGTH}
    kept["auto_scale_lr"] = scaling if scaling.get("enable") else None
    kept["model.text_branch"] = branch and branch.get("type", "TextBranch")
    return flatten(kept)


def _spans_the_training(schedulers: Any) -> bool:
    """Whether a scheduler ends with the training, or has a place that is a share."""
    if isinstance(schedulers, (list, tuple)):
        return any(map(_spans_the_training, schedulers))
    if not isinstance(schedulers, Mapping):
        return False
    if "type" not in schedulers:  # of several optimizers, by name
        return _spans_the_training([*schedulers.values()])
    places = [schedulers[key] for key in PLACES if key in schedulers]
    shares = (isinstance(v, float) for place in places for v in np.atleast_1d(place))
    # MMEngine lets it end there where it has no end of its own.
    return "end" not in schedulers or any(shares)


def find_resumable(work_dir: Path) -> Path | None:
    """Finds the checkpoint that an interrupted run goes on from, if there is one.

    Returns:
        That which ``last_checkpoint`` names, also where the work dir has been moved
        since; where that cannot be read, the newest one before it that can, with a
        warning.

    Raises:
        BrokenCheckpointError: If there are checkpoints and none can be read.
    """
    named = _named(work_dir)
    folders = {work_dir, *(() if named is None else (named.parent,))}
    found = [path for folder in folders for path in folder.glob("*.pth")]
    candidates = sorted(filter(_number, found), key=_number, reverse=True)
    if named is not None:
        last = _number(named) or math.inf
        older = [path for path in candidates if _number(path) < last and path != named]
        candidates = [named, *older]
    problems = []
    for path in candidates:
        try:
            read_meta(path)
        except (FileNotFoundError, BrokenCheckpointError) as error:
            missing = isinstance(error, FileNotFoundError)
            problems.append(f"{path} is not there" if missing else str(error))
            continue
        for problem in problems:
            _warn(problem)
        if problems or named is None:
            _warn(f"the run goes on from {path}, the newest one before that is whole")
        return path
    if problems:
        raise BrokenCheckpointError(
            f"no checkpoint to resume from in {work_dir}: {'; '.join(problems)}. Put a "
            "good copy in its place, name another one by --resume CHECKPOINT, or, to "
            "start anew, move them away or give another --work-dir"
        )
    return None


def _number(path: Path) -> int:
    """Returns the epoch or iteration in a checkpoint's name, else 0."""
    found = _NUMBERED.fullmatch(path.name)
    return 0 if found is None else int(found[1])


def _named(work_dir: Path) -> Path | None:
    """Returns the checkpoint of ``last_checkpoint``, which may be missing or empty."""
    file = work_dir / LAST
    name = file.read_text("utf-8").strip() if file.is_file() else ""
    if not name:
        return None
    named = Path(name)
    moved = work_dir / named.name
    return moved if not named.exists() and moved.exists() else named


def _warn(text: str) -> None:
    print_log(text, logger="current", level=logging.WARNING)
