"""The config of a CTR-GCN or its baseline, read off the shapes of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from gap_mmaction.skeletons import get_skeleton, layouts

_FIRST = "backbone.net.0."
_DEFAULT_STAGES = [5, 8]


def infer_model(
    state: Mapping[str, Tensor], source: str, path: str | Path
) -> dict[str, Any]:
    """Tell what model a recognizer's weights are of.

    Where the width doubles, the number of frames is taken to be halved, as it is in
    all three sources.

    Args:
        state: Weights by their names here.
        source: Where they are from; ``"pyskl"`` has mmaction2's form of CTR-GCN.
        path: Their file, for messages.

    Returns:
        The ``model`` of a config.

    Raises:
        ValueError: If they are no CTR-GCN's or baseline's, or of a layout that is not
            built in.
    """
    key = f"{_FIRST}gcn1.A"
    if key not in state or "cls_head.fc.weight" not in state:
        raise ValueError(
            f"{path}: the weights are not those of a CTR-GCN or its baseline with a "
            f"classifier (there is no {key} or no cls_head.fc.weight); give the config "
            "of the model by --config"
        )
    joints = state[key].shape[-1]
    named = [name for name in layouts() if get_skeleton(name).num_joints == joints]
    if len(named) != 1:
        raise ValueError(
            f"{path}: the weights are for {joints} joints, and the layouts of that "
            f"number are {named}; give a config with the layout by --config"
        )
    baseline = f"{_FIRST}gcn1.conv_d.0.weight" in state
    first = "gcn1.conv_d.0.weight" if baseline else "gcn1.convs.0.conv3.weight"
    if _FIRST + first not in state:
        raise ValueError(
            f"{path}: {_FIRST + first} is missing, so it is neither CTR-GCN nor its "
            "baseline; give the config of the model by --config"
        )
    in_channels = state[_FIRST + first].shape[1]
    widths = _widths(state)
    inflate = [
        stage
        for stage, (before, width) in enumerate(zip(widths, widths[1:]), start=2)
        if width != before
    ]
    backbone: dict[str, Any] = dict(
        type="CTRBaseline" if baseline else "CTRGCN",
        graph_cfg=dict(layout=named[0], mode="spatial"),
        in_channels=in_channels,
        base_channels=widths[0],
        num_stages=len(widths),
        num_person=_persons(state, joints * in_channels),
    )
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


def _widths(state: Mapping[str, Tensor]) -> list[int]:
    """List the widths of the blocks, as far as they are there without a gap."""
    widths: list[int] = []
    while True:
        norm = state.get(f"backbone.net.{len(widths)}.gcn1.bn.weight")
        if norm is None:
            return widths or [0]
        widths.append(len(norm))


def _persons(state: Mapping[str, Tensor], numbers: int) -> int:
    """Give the number of persons that the input's normalization is for."""
    norm = state.get("backbone.data_bn.weight")
    return 1 if norm is None else max(1, len(norm) // numbers)
