"""GAPLoss: language supervision in a training loop of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from gap_mmaction.skeletons import Layout, get_skeleton
from gap_mmaction.utils.files import find_description_file, find_shipped_file

from ..axes import ORDER, to_feature_map
from .text_branch import TextBranch
from .text_encoder import TextEncoder


class GAPLoss(TextBranch):
    """What GAP adds to a loss, for a loop that knows neither MMEngine nor a registry.

    It is the :class:`TextBranch` of the configs: same texts, parts, loss, gradients.
    Its parameters, the projections of the parts and a tuned encoder, are trained with
    the model's; for testing it is left out.

    Args:
        descriptions: A description file, or the name of one that ships: ``"ntu120"``.
        in_channels: Channels of the feature map.
        layout: Layout of the skeletons, a name or a dict.
        features: Text features, a file or the name of one that ships, as
            ``"ntu120_minilm"``.
        encoder: A text encoder, or its config, in place of features.
        preset: Which texts, see :data:`~.presets.PRESETS`.
        stream: Stream of the skeletons.
        num_classes: Number of classes, for a check of the descriptions.
        seed: Seed by which texts are drawn.
        loss: Options of the :class:`~gap_mmaction.models.MultiPartContrastiveLoss`.

    Examples:
        >>> import torch
        >>> gap = GAPLoss("nwucla", 64, layout="nw-ucla", features="nwucla_minilm")
        >>> gap(torch.rand(4, 64, 13, 20), torch.arange(4), axes="n c t v").shape
        torch.Size([])
    """

    def __init__(
        self,
        descriptions: str | Path,
        in_channels: int,
        layout: Layout,
        features: str | Path | None = None,
        encoder: TextEncoder | Mapping[str, Any] | None = None,
        preset: str = "synonym+parts4",
        stream: str = "joint",
        num_classes: int | None = None,
        seed: int | None = None,
        loss: Mapping[str, Any] | None = None,
    ) -> None:
        if features is not None and encoder is not None:
            raise ValueError(
                "GAPLoss: features and encoder are given; leave out the features to "
                "train with the encoder"
            )
        prompts = dict(descriptions=str(find_description_file(descriptions)))
        if features is not None and not Path(features).suffix:
            features = f"data/text_features/{features}.safetensors"
        super().__init__(
            dict(prompts, preset=preset, seed=seed),
            in_channels,
            layout,
            encoder=encoder,
            features=None if features is None else str(find_shipped_file(features)),
            stream=stream,
            num_classes=num_classes,
            loss=None if loss is None else dict(loss),
        )
        self.num_joints = get_skeleton(layout).num_joints
        # At once: there is no Runner that would call init_weights().
        if self.encoder is not None:
            self.encoder.init_weights()
            self._tokenize(self.encoder)
        self.compute_features()

    def forward(  # type: ignore[override]
        self, x: Tensor, labels: Tensor, axes: str = ORDER, m: int | None = None
    ) -> Tensor:
        """Returns the weighted loss, a scalar.

        Args:
            x: The feature map, before joints are pooled.
            labels: Classes ``[N]``, best on the CPU: a GPU's are waited for.
            axes: The map's axes, see :func:`~gap_mmaction.models.axes.to_feature_map`.
            m: Number of persons where they are merged with the clips.

        Raises:
            ValueError: If the map does not fit axes and layout, or a label no class.
        """
        sizes = {"v": self.num_joints} | ({} if m is None else {"m": m})
        found = to_feature_map(x, axes, sizes)
        labels, classes = labels.cpu(), len(self.prompts.labels)
        outside = labels[(labels < 0) | (labels >= classes)]
        if len(outside) or len(labels) != len(found):
            raise ValueError(
                f"{len(found)} clips have {len(labels)} labels, of which "
                f"{outside.tolist()} are none of the {classes} classes of "
                f"{self.prompts.descriptions}"
            )
        losses = super().forward(found, self.prepare(labels))
        terms = [value for name, value in losses.items() if "loss" in name]
        return sum(terms[1:], terms[0])
