"""Small recognizers with every kind of backbone."""

from __future__ import annotations

from typing import Any

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS
from torch import nn

from tests.models.plain_gcn import perturb

_STAGES = dict(num_stages=3, inflate_stages=[2], down_stages=[3], base_channels=8)
_OURS = dict(graph_cfg=dict(layout="nturgb+d", mode="spatial"), num_person=2)
_THEIRS = dict(graph_cfg=dict(layout="nturgb+d", mode="stgcn_spatial"))
BACKBONES: dict[str, dict[str, Any]] = {
    "ctrgcn": dict(type="CTRGCN", **_OURS),
    "ctrgcn-authors": dict(type="CTRGCN", variant="authors", **_OURS),
    "ctrgcn-single": dict(type="CTRGCN", temporal="single", **_OURS),
    "ctrbaseline": dict(type="CTRBaseline", **_OURS),
    "stgcn": dict(type="STGCN", **_THEIRS),
    "stgcnpp": dict(
        type="STGCN",
        graph_cfg=dict(layout="nturgb+d", mode="spatial"),
        **dict(gcn_adaptive="init", gcn_with_res=True, tcn_type="mstcn"),
    ),
    "aagcn": dict(type="AAGCN", **_OURS),
}
CLASSES = 10


def build(
    name: str, stream: str = "joint", form: str = "difference", **settings: Any
) -> RecognizerGCN:
    """Build a recognizer in evaluation mode, whose every number matters."""
    torch.manual_seed(0)
    backbone = {**BACKBONES[name], **_STAGES, **settings}
    model = MODELS.build(
        dict(
            type="RecognizerGAP",
            backbone=backbone,
            cls_head=dict(type="GCNHead", num_classes=CLASSES, in_channels=16),
            data_preprocessor=dict(
                type="SkeletonDataPreprocessor",
                layout=backbone["graph_cfg"]["layout"],
                stream=stream,
                bone_form=form,
            ),
        )
    ).eval()
    # By its graph a checkpoint is known.
    names = ("backbone.A", "backbone.graph")
    graphs = {k: v.clone() for k, v in model.named_buffers() if k in names}
    perturb(model)
    for key, value in graphs.items():
        model.get_buffer(key).copy_(value)
    # Scores that differ between inputs.
    nn.init.normal_(model.cls_head.fc.weight)
    return model


def clips(
    samples: int = 3, number: int = 1, frames: int = 8, joints: int = 25
) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(samples, number, 2, frames, joints, 3, generator=generator)
