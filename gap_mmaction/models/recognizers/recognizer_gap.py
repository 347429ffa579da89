"""RecognizerGAP: a GCN recognizer with an optional text branch for training."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Mapping
from typing import Any

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import Tensor

from gap_mmaction.skeletons.pipeline_layout import find_test_pipeline
from gap_mmaction.utils.checkpoint_fit import check_fit
from gap_mmaction.utils.config_keys import check_keys

from ..data_preprocessors import SkeletonDataPreprocessor
from ..heads import TrainingBranch
from ..registered import registered

TEXT_PREFIX = "text_branch."


@MODELS.register_module()
class RecognizerGAP(RecognizerGCN):
    """Stock ``RecognizerGCN`` and, for training, the text branch of GAP.

    Without ``text_branch`` it is a ``RecognizerGCN``. Everything that GAP adds to a
    state dict has the prefix ``text_branch.``; what is left without it loads strictly
    into the stock recognizer.

    Args:
        backbone: Config of a GCN backbone, ``[N, M, T, V, C] -> [N, M, C', T', V]``.
        cls_head: Config of the classification head, as a rule stock ``GCNHead``.
        text_branch: Config of the :class:`TextBranch`, or of another
            :class:`TrainingBranch`. ``layout``, ``stream``,
            ``in_channels`` and ``num_classes`` come from the data preprocessor and the
            head if they are left out. ``None`` for a plain GCN and for testing.
        data_preprocessor: Config of the data preprocessor, as a rule
            :class:`SkeletonDataPreprocessor`.
        train_cfg: As in ``BaseRecognizer``.
        test_cfg: As in ``BaseRecognizer``.

    Raises:
        TypeError: If the text branch is no :class:`TrainingBranch`.
        ValueError: If the parts do not fit together.
        CheckpointError: If a state dict of another layout, number of classes or
            backbone is loaded.
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
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
        )
        self._check_width()
        self._cfg: Any = None
        self.text_branch: TrainingBranch | None = None
        if text_branch is not None:
            if not isinstance(text_branch, Mapping):
                raise TypeError(
                    f"model.text_branch={text_branch!r}: it is a dict of settings, or "
                    "None (--cfg-options model.text_branch=None)"
                )
            config = {**self._defaults(), **text_branch}
            branch = registered(config["type"])
            if branch is not None:
                if not issubclass(branch, TrainingBranch):
                    raise TypeError(
                        f"model.text_branch.type={config['type']!r}: derive it from "
                        "gap_mmaction.TrainingBranch, or use a TextBranch"
                    )
                check_keys(branch, config, "model.text_branch")
            self.text_branch = MODELS.build(config)

    @property
    def cfg(self) -> Any:
        """The whole config, which mmaction2's ``init_recognizer`` sets.

        Its ``inference_recognizer`` and ``inference_skeleton`` run the pipeline
        ``cfg.test_pipeline``. The configs of this project say it once, in
        ``test_dataloader``, so it is put there from the loader where it is missing.
        """
        return self._cfg

    @cfg.setter
    def cfg(self, config: Any) -> None:
        if config is not None and config.get("test_pipeline") is None:
            pipeline = find_test_pipeline(config)
            if pipeline is not None:
                config = copy.copy(config)
                config["test_pipeline"] = pipeline
        self._cfg = config

    def _check_width(self) -> None:
        """Check the head's width against the backbone's, where that tells its own."""
        width = getattr(self.backbone, "out_channels", None)
        if self.with_cls_head and width not in (None, self.cls_head.in_channels):
            raise ValueError(
                f"model.cls_head.in_channels is {self.cls_head.in_channels}, but "
                f"{type(self.backbone).__name__} of this base_channels gives {width} "
                f"channels; set model.cls_head.in_channels={width}"
            )

    def _defaults(self) -> dict[str, Any]:
        """Give the text branch's arguments that other parts of the model know."""
        defaults: dict[str, Any] = {"type": "TextBranch"}
        if self.with_cls_head:
            defaults["in_channels"] = self.cls_head.in_channels
            defaults["num_classes"] = self.cls_head.num_classes
        preprocessor = self.data_preprocessor
        if isinstance(preprocessor, SkeletonDataPreprocessor):
            defaults["layout"] = preprocessor.skeleton
            defaults["stream"] = preprocessor.stream
        return defaults

    def loss(self, inputs: Tensor, data_samples: list, **kwargs: Any) -> dict:
        """Compute the losses of a batch.

        Args:
            inputs: ``[B, clips, M, T, V, C]``.
            data_samples: The batch's data samples with their labels.
            **kwargs: Not used; part of mmaction2's interface.

        Returns:
            ``loss_cls`` and the head's accuracies; with a text branch ``loss_con`` and
            the unweighted loss of every part.
        """
        labels = None if self.text_branch is None else _labels_of(data_samples)
        feats, _ = self.extract_feat(inputs)
        # mmaction2's accuracy goes through numpy, which knows no bfloat16.
        with torch.autocast(feats.device.type, enabled=False):
            whole = feats.to(torch.promote_types(feats.dtype, torch.float32))
            losses = self.cls_head.loss(whole, data_samples)
        if self.text_branch is not None and labels is not None:
            losses.update(self.text_branch(feats, labels.to(feats.device)))
        return losses

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Tensor],
        prefix: str,
        local_metadata: dict,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load; refuse other models; leave a text branch aside where there is none."""
        start = len(prefix)
        theirs = {k[start:]: v for k, v in state_dict.items() if k.startswith(prefix)}
        check_fit(self.state_dict(), theirs)
        if self.text_branch is None:
            text = prefix + TEXT_PREFIX
            for key in [key for key in state_dict if key.startswith(text)]:
                del state_dict[key]
        super()._load_from_state_dict(
            state_dict,
            prefix,
            local_metadata,
            strict,
            missing_keys,
            unexpected_keys,
            error_msgs,
        )


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


def _check_variant(backbone: Mapping[str, Any]) -> None:
    """Tell of a CTRGCN that is not ours, and does not know the authors' form."""
    kind = registered(backbone.get("type", ""))
    if "variant" not in backbone or kind is None:
        return
    if "variant" not in inspect.signature(kind).parameters:
        raise TypeError(
            f"model.backbone.variant: unknown to {kind.__module__}.{kind.__name__}, "
            "which was registered first; import gap_mmaction before it or in its place "
            "(custom_imports), or take a config *_mmaction2, which it runs too"
        )


def drop_text_branch(cfg: Config) -> bool:
    """Takes the text branch out of a config: testing never builds it.

    Args:
        cfg: A config with a ``model``, which is changed in place.

    Returns:
        Whether the model is a RecognizerGAP, or of a class derived from it, and
        had a text branch.
    """
    model = cfg.model
    if model.get("text_branch") is None:
        return False
    kind = registered(model.type)
    if not isinstance(kind, type) or not issubclass(kind, RecognizerGAP):
        return False
    model.text_branch = None
    return True
