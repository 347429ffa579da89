"""Weights of other code become checkpoints of this project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from gap_mmaction.models.backbones import (
    CTRGCN,
    CTRBaseline,
    convert_authors_state_dict,
)
from gap_mmaction.models.recognizers import drop_text_branch
from gap_mmaction.utils.checkpoint_fit import CheckpointError
from gap_mmaction.utils.checkpoint_reader import read_checkpoint, weights_of
from gap_mmaction.version import __version__

from .checkpoint_file import check_suffix, dump_checkpoint, sha256_of, write_bytes
from .inferred_model import infer_model

SOURCES = ("gap", "ctrgcn", "pyskl")
# What the paper's repository has beside the GCN, for training only.
GAP_TEXT = ("logit_scale", "part_list.", "head.", "linear_head.")
_PYSKL_HEAD = "cls_head.fc_cls."
_HEAD = "cls_head.fc."
# A checkpoint may lack these: the model knows them itself.
_MAY_LACK = (".num_batches_tracked", "backbone.A", "backbone.graph")


class ConversionError(ValueError):
    """Weights that do not fit."""


@dataclass(frozen=True)
class Converted:
    """What :func:`convert_checkpoint` has written.

    Attributes:
        model: The config of the model that the weights fit.
        kept: Number of tensors taken from the source.
        left_out: Keys of the source that were left out.
    """

    model: dict[str, Any]
    kept: int
    left_out: list[str]


def convert_checkpoint(
    source: str,
    path: Path,
    target: Path,
    cfg: Config | None = None,
    leave_out: Iterable[str] = (),
) -> Converted:
    """Convert a file of weights.

    Args:
        source: Where the weights are from, one of :data:`SOURCES`: ``"gap"``, the
            paper's repository; ``"ctrgcn"``, that of CTR-GCN's authors; ``"pyskl"``.
        path: Their file, read without running anything in it.
        target: The file to write, ``.pth`` or ``.safetensors``.
        cfg: The config of the model that they are for; by default the model is read
            off the tensors' shapes, which works for CTR-GCN and its baseline.
        leave_out: Beginnings of keys to leave out.

    Returns:
        What was done.

    Raises:
        ConversionError: If keys or shapes do not fit; the message lists them.
        FileNotFoundError: If the file is not there.
        pickle.UnpicklingError: If it asks for more than a checkpoint holds.
        ValueError: If it is no file of weights.
    """
    check_suffix(target.suffix)
    weights = weights_of(read_checkpoint(path), path)
    state, left_out = rename(source, weights, tuple(leave_out), path)
    if cfg is None:
        cfg = Config(dict(model=infer_model(state, source, path)))
    init_default_scope(cfg.get("default_scope", "mmaction"))
    drop_text_branch(cfg)
    model: nn.Module = MODELS.build(cfg.model)
    _check_form(model, source)
    _load(model, state, path)
    meta = dict(
        converted_from=source,
        source_file=path.name,
        source_sha256=sha256_of(path.read_bytes()),
        gap_mmaction_version=__version__,
        cfg=cfg.pretty_text,
    )
    content = dump_checkpoint(model.state_dict(), meta, target.suffix)
    write_bytes(target, content)
    return Converted(cfg.model.to_dict(), len(state), left_out)


def rename(
    source: str, weights: Mapping[str, Tensor], leave_out: tuple[str, ...], path: Path
) -> tuple[dict[str, Tensor], list[str]]:
    """Give weights the names that a recognizer of this project has for them.

    Args:
        source: One of :data:`SOURCES`.
        weights: The weights by their names there.
        leave_out: Beginnings of keys to leave out.
        path: The file, for messages.

    Returns:
        The weights by their names here, and the keys left out.

    Raises:
        ConversionError: If there are keys of which it is not known what they are.
        ValueError: If the source is unknown, or the weights are not from it.
    """
    if source not in SOURCES:
        raise ValueError(f"--from {source}: use one of {list(SOURCES)}")
    prefixes = (*leave_out, *(GAP_TEXT if source == "gap" else ()))
    left_out = [key for key in weights if prefixes and key.startswith(prefixes)]
    taken = {key: value for key, value in weights.items() if key not in left_out}
    if source == "pyskl":
        known = [key for key in taken if key.startswith(("backbone.", _PYSKL_HEAD))]
        state = {
            _HEAD + key[len(_PYSKL_HEAD) :]
            if key.startswith(_PYSKL_HEAD)
            else key: taken[key]
            for key in known
        }
    else:
        known = [key for key in taken if _is_authors(key)]
        try:
            state = convert_authors_state_dict(
                {key: taken[key] for key in known}, recognizer=True
            )
        except ValueError as error:
            raise ValueError(
                f"{path}: --from {source} does not fit: {error or 'no such keys'}; its "
                f"keys are {list(taken)[:3]}, ..."
            ) from error
    unknown = [key for key in taken if key not in known]
    if unknown or not state:
        raise ConversionError(
            f"{path}: of {len(unknown)} keys it is not known what they are in weights "
            f"of {source!r}; nothing is written. Check --from, or, if the model at "
            "test time does without them, leave them out by --leave-out PREFIX:\n"
            + _listed(unknown)
        )
    return state, left_out


def _is_authors(key: str) -> bool:
    first = key.partition(".")[0]
    return first in ("data_bn", "fc") or (first[:1] == "l" and first[1:].isdigit())


def _check_form(model: nn.Module, source: str) -> None:
    """Check that a model computes with the weights what their own code does.

    The two forms of CTR-GCN have the same names and, as a rule, shapes.
    """
    backbone = getattr(model, "backbone", None)
    authors = source != "pyskl"
    if isinstance(backbone, CTRGCN):
        form = "authors" if authors else "mmaction2"
        if backbone.variant != form:
            raise ConversionError(
                f"weights of {source!r} are for model.backbone.variant={form!r}, the "
                f"config has {backbone.variant!r}, which would compute something else "
                "with them"
            )
    elif authors != isinstance(backbone, CTRBaseline):
        kind = type(backbone).__name__
        raise ConversionError(
            f"weights of {source!r} are not for model.backbone.type={kind!r}"
        )


def _load(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Load weights, strictly but for what the model knows itself.

    Raises:
        ConversionError: If they do not fit; the message lists all keys that do not.
    """
    own = model.state_dict()
    lines = [f"missing:    {key}" for key in own if key not in state]
    lines = [line for line in lines if not line.endswith(_MAY_LACK)]
    lines += [f"unexpected: {key}" for key in state if key not in own]
    lines += [
        f"shape:      {key} is {list(value.shape)} in the file, {list(own[key].shape)} "
        "in the model"
        for key, value in state.items()
        if key in own and own[key].shape != value.shape
    ]
    if lines:
        raise ConversionError(
            f"{path}: {len(lines)} keys do not fit the model; nothing is written. Give "
            "the config of the model that the weights are of (--config), or another "
            "--from:\n" + _listed(lines)
        )
    try:
        model.load_state_dict({**own, **state}, strict=True)
    except CheckpointError as error:
        raise ConversionError(f"{path}: {error}") from error


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
