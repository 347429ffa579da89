"""Turns weights of other code into checkpoints of this project."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
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
from gap_mmaction.skeletons import get_skeleton, layouts
from gap_mmaction.skeletons.estimator_layouts import ESTIMATOR_LAYOUTS
from gap_mmaction.utils.checkpoint_fit import CheckpointError
from gap_mmaction.utils.checkpoint_reader import read_checkpoint, weights_of
from gap_mmaction.utils.files import file_digest, write_file
from gap_mmaction.version import __version__

from .publish import check_suffix, dump_checkpoint

SOURCES = ("gap", "ctrgcn", "pyskl")
# What the paper's repository has beside the GCN, for training only.
_GAP_TEXT = ("logit_scale", "part_list.", "head.", "linear_head.")
_PYSKL_HEAD, _HEAD = "cls_head.fc_cls.", "cls_head.fc."
_KNOWN = {
    **dict.fromkeys(("gap", "ctrgcn"), re.compile(r"(data_bn|fc|l\d+)\.")),
    "pyskl": re.compile(r"backbone\.|cls_head\.fc_cls\."),
}
# A checkpoint may lack these: the model knows them itself.
_MAY_LACK = (".num_batches_tracked", "backbone.A", "backbone.graph")
_FIRST = "backbone.net.0."
_DEFAULT_STAGES = [5, 8]


def convert_checkpoint(
    source: str,
    path: Path,
    target: Path,
    cfg: Config | None = None,
    leave_out: Iterable[str] = (),
) -> tuple[dict[str, Any], int, list[str]]:
    """Converts a file of weights.

    Args:
        source: Where they are from, one of :data:`SOURCES`: ``"gap"``, the paper's
            repository; ``"ctrgcn"``, that of CTR-GCN's authors; ``"pyskl"``.
        path: Their file, read without running anything in it.
        target: The file to write, ``.pth`` or ``.safetensors``.
        cfg: The config of the model that they are for; by default the model is read
            off the tensors' shapes, which works for CTR-GCN and its baseline.
        leave_out: Beginnings of keys to leave out.

    Returns:
        The ``model`` of a config that the weights fit, how many tensors were taken,
        and the keys of the source that were left out.

    Raises:
        FileNotFoundError: If the file is not there.
        pickle.UnpicklingError: If it asks for more than a checkpoint holds.
        ValueError: If it is no file of weights of that source, or keys or shapes do
            not fit; the message lists them.
    """
    check_suffix(target.suffix)
    weights = weights_of(read_checkpoint(path), path)
    state, left_out = _rename(source, weights, tuple(leave_out), path)
    if cfg is None:
        cfg = Config(dict(model=_infer_model(state, source, path)))
    init_default_scope(cfg.get("default_scope", "mmaction"))
    drop_text_branch(cfg)
    model: nn.Module = MODELS.build(cfg.model)
    _check_form(model, source)
    _load(model, state, path)
    meta = dict(
        converted_from=source,
        source_file=path.name,
        source_sha256=file_digest(path),
        gap_mmaction_version=__version__,
        cfg=cfg.pretty_text,
    )
    write_file(target, dump_checkpoint(model.state_dict(), meta, target.suffix))
    return cfg.model.to_dict(), len(state), left_out


def _rename(
    source: str, weights: Mapping[str, Tensor], leave_out: tuple[str, ...], path: Path
) -> tuple[dict[str, Tensor], list[str]]:
    """Returns the weights by their names here, and the keys left out."""
    if source not in SOURCES:
        raise ValueError(f"--from {source}: use one of {list(SOURCES)}")
    prefixes = (*leave_out, *(_GAP_TEXT if source == "gap" else ()))
    left_out = [key for key in weights if key.startswith(prefixes)]
    taken = {key: value for key, value in weights.items() if key not in left_out}
    known = {key: v for key, v in taken.items() if _KNOWN[source].match(key)}
    if source == "pyskl":
        state = {key.replace(_PYSKL_HEAD, _HEAD): v for key, v in known.items()}
    else:
        try:
            state = convert_authors_state_dict(known, recognizer=True)
        except ValueError as error:
            raise ValueError(
                f"{path}: --from {source} does not fit: {error or 'no such keys'}; its "
                f"keys are {list(taken)[:3]}, ..."
            ) from error
    unknown = [key for key in taken if key not in known]
    if unknown or not state:
        raise ValueError(
            f"{path}: of {len(unknown)} keys it is not known what they are in weights "
            f"of {source!r}; nothing is written. Check --from, or, if the model at "
            "test time does without them, leave them out by --leave-out PREFIX:"
            + "".join(f"\n  {key}" for key in unknown)
        )
    return state, left_out


def _infer_model(
    state: Mapping[str, Tensor], source: str, path: Path
) -> dict[str, Any]:
    """Returns the ``model`` of a config that a recognizer's weights are of.

    Where the width doubles, the number of frames is taken to be halved, as it is in
    all three sources.
    """
    baseline = f"{_FIRST}gcn1.conv_d.0.weight" in state
    first = "gcn1.conv_d.0.weight" if baseline else "gcn1.convs.0.conv3.weight"
    needed = (f"{_FIRST}gcn1.A", f"{_FIRST}gcn1.bn.weight", _FIRST + first)
    for key in (*needed, "cls_head.fc.weight"):
        if key not in state:
            raise ValueError(
                f"{path}: there is no {key}, so the weights are not those of a CTR-GCN "
                "or its baseline with a classifier; give the config of the model by "
                "--config"
            )
    joints = state[f"{_FIRST}gcn1.A"].shape[-1]
    # What is converted was trained on data sets, not on what estimators find.
    sets = {*layouts()} - {skeleton.name for skeleton in ESTIMATOR_LAYOUTS}
    named = [name for name in sets if get_skeleton(name).num_joints == joints]
    if len(named) != 1:
        raise ValueError(
            f"{path}: the weights are for {joints} joints, and the layouts of that "
            f"number are {sorted(named)}; give a config with the layout by --config"
        )
    widths: list[int] = []
    while (norm := state.get(f"backbone.net.{len(widths)}.gcn1.bn.weight")) is not None:
        widths.append(len(norm))
    in_channels = state[_FIRST + first].shape[1]
    norm = state.get("backbone.data_bn.weight")
    backbone: dict[str, Any] = dict(
        type="CTRBaseline" if baseline else "CTRGCN",
        graph_cfg=dict(layout=named[0], mode="spatial"),
        in_channels=in_channels,
        base_channels=widths[0],
        num_stages=len(widths),
        num_person=1 if norm is None else max(1, len(norm) // (joints * in_channels)),
    )
    pairs = enumerate(zip(widths, widths[1:]), start=2)
    inflate = [stage for stage, (before, width) in pairs if width != before]
    if inflate != _DEFAULT_STAGES:
        backbone.update(inflate_stages=inflate, down_stages=inflate)
    if not baseline:
        backbone["variant"] = "mmaction2" if source == "pyskl" else "authors"
        if f"{_FIRST}tcn1.conv.weight" in state:
            backbone["temporal"] = "single"
    classes, width = state["cls_head.fc.weight"].shape
    return dict(
        type="RecognizerGAP",
        data_preprocessor=dict(type="SkeletonDataPreprocessor", layout=named[0]),
        backbone=backbone,
        cls_head=dict(type="GCNHead", num_classes=classes, in_channels=width),
    )


def _check_form(model: nn.Module, source: str) -> None:
    # The two forms of CTR-GCN have the same names and, as a rule, shapes.
    backbone = getattr(model, "backbone", None)
    authors = source != "pyskl"
    if isinstance(backbone, CTRGCN):
        form = "authors" if authors else "mmaction2"
        if backbone.variant != form:
            raise ValueError(
                f"weights of {source!r} are for model.backbone.variant={form!r}, the "
                f"config has {backbone.variant!r}, which would compute something else "
                "with them"
            )
    elif authors != isinstance(backbone, CTRBaseline):
        kind = type(backbone).__name__
        raise ValueError(
            f"weights of {source!r} are not for model.backbone.type={kind!r}"
        )


def _load(model: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    """Loads weights, strictly but for what the model knows itself."""
    own = model.state_dict()
    missing = [key for key in own if key not in state and not key.endswith(_MAY_LACK)]
    lines = [f"missing:    {key}" for key in missing]
    lines += [f"unexpected: {key}" for key in state if key not in own]
    lines += [
        f"shape:      {key} is {list(value.shape)} in the file, {list(own[key].shape)} "
        "in the model"
        for key, value in state.items()
        if key in own and own[key].shape != value.shape
    ]
    if lines:
        raise ValueError(
            f"{path}: {len(lines)} keys do not fit the model; nothing is written. Give "
            "the config of the model that the weights are of (--config), or another "
            "--from:" + "".join(f"\n  {line}" for line in lines)
        )
    try:
        model.load_state_dict({**own, **state}, strict=True)
    except CheckpointError as error:
        raise ValueError(f"{path}: {error}") from error
