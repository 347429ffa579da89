"""Backbones by name, as Table 1d has them, in place of a config's CTR-GCN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gap_mmaction.skeletons import get_skeleton

BACKBONES = ("stgcn", "ctr-baseline", "ctrgcn-single", "ctrgcn")

# What all of them understand: the size of the stack, which heads depend on.
_SIZE = (
    "in_channels",
    "base_channels",
    "num_stages",
    "inflate_stages",
    "down_stages",
    "num_person",
)
# Those that mmaction2's Graph knows by name.
_STOCK_LAYOUTS = ("nturgb+d", "openpose", "coco")


def backbone_changes(name: str, backbone: Mapping[str, Any]) -> dict[str, Any]:
    """Say what to change for a backbone.

    Args:
        name: One of :data:`BACKBONES`. ``ctrgcn-single`` is the ablations' CTR-GCN,
            with one temporal scale (GAP, section 4.2).
        backbone: The config's own, a CTRGCN.

    Returns:
        What a config that inherits it sets ``model.backbone`` to.

    Raises:
        ValueError: If the name is unknown, or the config has no CTRGCN.
    """
    if name not in BACKBONES:
        raise ValueError(f"backbone '{name}' is none of {', '.join(BACKBONES)}")
    kind = backbone.get("type")
    if kind != "CTRGCN":
        raise ValueError(
            f"model.backbone.type is {kind!r}: the tables' backbones are made from a "
            "config with CTRGCN"
        )
    if name == "ctrgcn":
        return {"temporal": "multi"}
    if name == "ctrgcn-single":
        return {"temporal": "single"}
    size = {key: backbone[key] for key in _SIZE if key in backbone}
    graph = dict(backbone["graph_cfg"])
    if name == "ctr-baseline":
        return {"_delete_": True, "type": "CTRBaseline", "graph_cfg": graph, **size}
    stock = {"layout": _stock_layout(graph["layout"]), "mode": "stgcn_spatial"}
    return {"_delete_": True, "type": "STGCN", "graph_cfg": stock, **size}


def _stock_layout(layout: Any) -> Any:
    """Give a layout in a form that mmaction2's Graph takes."""
    if layout in _STOCK_LAYOUTS:
        return layout
    skeleton = get_skeleton(layout)
    return {
        "num_node": skeleton.num_joints,
        "inward": [tuple(edge) for edge in skeleton.edges],
        "center": skeleton.centre,
    }
