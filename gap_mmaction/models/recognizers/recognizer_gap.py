"""RecognizerGAP: a GCN recognizer with an optional text branch for training."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from mmaction.models.heads import BaseHead
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn

from gap_mmaction.skeletons import get_skeleton, layouts
from gap_mmaction.skeletons.layouts import find_test_pipeline
from gap_mmaction.utils.checkpoint_fit import check_fit, check_start
from gap_mmaction.utils.config_parts import check_keys
from gap_mmaction.utils.sending import send

from ..backbones import FeatureHook, map_of
from ..data_preprocessors import SkeletonDataPreprocessor
from ..heads import TrainingBranch
from ..heads.foreign_head import ForeignHead

TEXT_PREFIX = "text_branch."


@MODELS.register_module()
class RecognizerGAP(RecognizerGCN):
    """Stock ``RecognizerGCN`` and, for training, the text branch of GAP.

    Everything that GAP adds to a state dict has the prefix ``text_branch.``; what is
    left without it loads strictly into the stock recognizer.

    Args:
        backbone: Config of a GCN backbone, ``[N, M, T, V, C] -> [N, M, C', T', V]``,
            or of a :class:`FeatureHook`.
        cls_head: Config of the classification head, as a rule stock ``GCNHead``.
        text_branch: Config of the :class:`TextBranch`, or of another
            :class:`TrainingBranch`; ``None`` for a plain GCN and for testing. The data
            preprocessor and the head give ``layout``, ``stream``, ``in_channels`` and
            ``num_classes`` if they are left out.
        data_preprocessor: As a rule a :class:`SkeletonDataPreprocessor`.
    """

    def __init__(
        self,
        backbone: dict,
        cls_head: dict | None = None,
        text_branch: dict | None = None,
        data_preprocessor: dict | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
    ) -> None:
        _check_variant(backbone)
        super().__init__(
            backbone=backbone,
            cls_head=cls_head,
            data_preprocessor=data_preprocessor,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
        )
        _check_layouts(backbone, self.data_preprocessor)
        self.backbone.register_load_state_dict_pre_hook(_check_backbone)
        # A backbone of others may not know its width; that of a layer is seen later.
        width = getattr(self.backbone, "out_channels", None)
        if isinstance(self.backbone, FeatureHook):
            width, logits = None, self.backbone.feature_hook.logits
            if self.with_cls_head and logits != isinstance(self.cls_head, ForeignHead):
                raise ValueError(
                    f"model.backbone.logits is {logits}, model.cls_head is a "
                    f"{type(self.cls_head).__name__}: a ForeignHead takes the model's "
                    "logits (logits=True), another head the map (logits=False)"
                )
        if self.with_cls_head and width not in (None, self.cls_head.in_channels):
            raise ValueError(
                f"model.cls_head.in_channels is {self.cls_head.in_channels}, but "
                f"{type(self.backbone).__name__} of this base_channels gives {width} "
                f"channels; set model.cls_head.in_channels={width}"
            )
        self._cfg: Any = None
        self.text_branch: TrainingBranch | None = None
        if text_branch is not None:
            self.text_branch = self._build_branch(text_branch)

    def _build_branch(self, config: dict) -> TrainingBranch:
        """Builds the text branch; the other parts of the model fill its config up."""
        if not isinstance(config, Mapping):
            raise TypeError(
                f"model.text_branch={config!r}: it is a dict of settings, or None "
                "(--cfg-options model.text_branch=None)"
            )
        known: dict[str, Any] = {"type": "TextBranch"}
        if self.with_cls_head:
            known["in_channels"] = self.cls_head.in_channels
            known["num_classes"] = self.cls_head.num_classes
        if isinstance(self.data_preprocessor, SkeletonDataPreprocessor):
            known["layout"] = self.data_preprocessor.skeleton
            known["stream"] = self.data_preprocessor.stream
        config = {**known, **config}
        branch = _class_of(config["type"])
        if branch is not None:
            if not issubclass(branch, TrainingBranch):
                raise TypeError(
                    f"model.text_branch.type={config['type']!r}: derive it from "
                    "gap_mmaction.TrainingBranch, or use a TextBranch"
                )
            check_keys(branch, config, "model.text_branch")
        return MODELS.build(config)

    @property
    def cfg(self) -> Any:
        """The config; mmaction2's ``test_pipeline`` is added where it is missing."""
        return self._cfg

    @cfg.setter
    def cfg(self, config: Any) -> None:
        if config is not None and config.get("test_pipeline") is None:
            pipeline = find_test_pipeline(config)
            if pipeline is not None:
                config = copy.copy(config)
                config["test_pipeline"] = pipeline
        self._cfg = config

    def loss(self, inputs: Tensor, data_samples: list, **kwargs: Any) -> dict:
        """Returns the losses of head and text branch of ``[B, clips, M, T, V, C]``."""
        classes: Any = None
        if self.text_branch is not None:
            classes = self.text_branch.prepare(_labels_of(data_samples))
        feats, _ = self.extract_feat(inputs)
        feature_map = map_of(feats)
        if isinstance(self.backbone, FeatureHook):
            width, known = feature_map.shape[2], self.cls_head.in_channels
            if width != known:
                raise ValueError(
                    f"model.cls_head.in_channels is {known}, but the layer of "
                    f"model.backbone gives {width} channels; set in_channels={width}"
                )
        with torch.autocast(feature_map.device.type, enabled=False):
            losses = head_losses(self.cls_head, _whole(feats), data_samples)
        if self.text_branch is not None:
            if isinstance(classes, Tensor):
                classes = send(classes, feature_map.device)
            losses.update(self.text_branch(feature_map, classes))
        return losses

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any
    ) -> None:
        """Loads; refuses other models; leaves a text branch out where there is none."""
        start = len(prefix)
        theirs = {k[start:]: v for k, v in state_dict.items() if k.startswith(prefix)}
        check_fit(self.state_dict(keep_vars=True), theirs)
        if self.text_branch is None:
            text = prefix + TEXT_PREFIX
            for key in [key for key in state_dict if key.startswith(text)]:
                del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *args)


def _check_backbone(
    backbone: nn.Module, state_dict: Mapping[str, Tensor], prefix: str, *_: Any
) -> None:
    """Checks weights that come alone, as by ``init_cfg``."""
    if prefix:
        return  # of a recognizer, which checks all of them
    states = backbone.state_dict(), state_dict
    own, theirs = ({f"backbone.{k}": v for k, v in state.items()} for state in states)
    check_start(own, theirs)


def head_losses(head: Any, feats: Any, data_samples: list) -> dict:
    """Returns the losses of ``head.loss``, without waiting for the device.

    Stock heads compute their accuracy on the CPU. Here that of ``[B]`` hard labels
    stays where the scores are, of a head that takes over its loss from ``BaseHead``.
    """
    kind: Any = type(head)
    stock = (BaseHead.loss, BaseHead.loss_by_feat)
    is_stock = issubclass(kind, BaseHead) and (kind.loss, kind.loss_by_feat) == stock
    labels = torch.cat([sample.gt_label for sample in data_samples])
    if not is_stock or len(labels) != len(data_samples):
        return head.loss(feats, data_samples)
    scores = head(feats)
    labels, losses = send(labels, scores.device), {}
    for k in head.topk:
        found = scores.detach().topk(min(k, scores.shape[1])).indices
        losses[f"top{k}_acc"] = (found == labels[:, None]).any(1).double().mean()
    if smooth := head.label_smooth_eps:
        one_hot = F.one_hot(labels, head.num_classes)
        labels = (1 - smooth) * one_hot + smooth / head.num_classes
    loss = head.loss_cls(scores, labels)
    losses.update(loss if isinstance(loss, dict) else {"loss_cls": loss})
    return losses


def drop_text_branch(cfg: Config) -> bool:
    """Takes a RecognizerGAP's text branch out of a config; returns if there was one."""
    model = cfg.model
    kind = _class_of(model.type) if model.get("text_branch") is not None else None
    if not isinstance(kind, type) or not issubclass(kind, RecognizerGAP):
        return False
    model.text_branch = None
    return True


def _class_of(kind: str | type) -> Any:
    """Returns the class of a config's ``type``; None if there is none of that name."""
    return MODELS.get(kind) if isinstance(kind, str) else kind


def _labels_of(data_samples: list) -> Tensor:
    """Returns the class ``[B]`` of each clip, for the text branch."""
    labels = torch.cat([sample.gt_label for sample in data_samples])
    if len(labels) != len(data_samples):
        raise ValueError(
            f"{len(data_samples)} clips have {len(labels)} labels, as with "
            "multi_class=True of the data set; the text branch compares a clip "
            "with one class: set multi_class=False, or model.text_branch=None"
        )
    return labels


def _whole(feats: Any) -> Any:
    """Returns a backbone's output in single precision at least."""
    if isinstance(feats, tuple):
        return tuple(map(_whole, feats))
    return feats.to(torch.promote_types(feats.dtype, torch.float32))


def _check_variant(backbone: Mapping[str, Any]) -> None:
    """Refuses a CTRGCN that is not ours, and does not know the authors' form."""
    kind = _class_of(backbone.get("type", ""))
    if "variant" not in backbone or kind is None:
        return
    if "variant" not in inspect.signature(kind).parameters:
        raise TypeError(
            f"model.backbone.variant: unknown to {kind.__module__}.{kind.__name__}, "
            "which was registered first; import gap_mmaction before it or in its place "
            "(custom_imports), or take a config *_mmaction2, which it runs too"
        )


def _check_layouts(backbone: Mapping[str, Any], preprocessor: Any) -> None:
    """Raises a ValueError where the backbone has the graph of another skeleton."""
    settings = backbone.get("model") or backbone  # of a FeatureHook
    graph = settings.get("graph_cfg") if isinstance(settings, Mapping) else None
    layout = graph.get("layout") if isinstance(graph, Mapping) else None
    if not isinstance(preprocessor, SkeletonDataPreprocessor) or layout is None:
        return
    if isinstance(layout, str) and layout not in layouts():
        return  # one that the backbone alone knows
    there, data = get_skeleton(layout), preprocessor.skeleton
    if not np.array_equal(there.adjacency(), data.adjacency()):
        raise ValueError(
            f"model.backbone.graph_cfg.layout is {there.name!r} of {there.num_joints} "
            f"joints, model.data_preprocessor.layout {data.name!r} of "
            f"{data.num_joints}: the backbone would have another skeleton's graph; set "
            "both to the layout of the data"
        )
