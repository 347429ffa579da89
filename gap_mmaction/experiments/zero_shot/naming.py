"""Features of clips and of all classes' texts, by a model that lacks some classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Callable

import numpy as np
from mmaction.registry import MODELS
from mmengine.config import Config

from gap_mmaction.apis import ClipFeatures, SkeletonInferencer, extract_features
from gap_mmaction.apis.feature_extraction import read_labels
from gap_mmaction.models.text.cached_encoder import CachedTextEncoder
from gap_mmaction.models.text.prompt_bank import PromptBank, class_features
from gap_mmaction.models.text.text_encoder import TextEncoder, build_frozen_encoder

from .class_split import ClassSplit
from .seen_data import HELD_OUT, SeenData


class ClassNamer:
    """Compares clips with the texts of all classes, the unseen ones included.

    The texts of the unseen classes are encoded as those of the seen ones were: by the
    file of features that the config names, by the frozen encoder, or by the one that
    the model has tuned.

    Args:
        config: The config of the training.
        checkpoint: Its checkpoint.
        split: What was trained on.
        descriptions: The description file of all classes.
        device: Where the model runs.
        batch_size: Clips that go through it together.
        features: The file of their text features, where it is not the config's.

    Raises:
        FileNotFoundError: If a file is not there.
        ValueError: If config and checkpoint do not fit, the file of features lacks
            texts of unseen classes, or another encoder has made it.
    """

    def __init__(
        self,
        config: Config,
        checkpoint: Path,
        split: ClassSplit,
        descriptions: Path,
        device: str = "cpu",
        batch_size: int = 32,
        features: str | None = None,
    ) -> None:
        self.split = split
        self.inferencer = SkeletonInferencer(
            config, checkpoint, device, batch_size=batch_size
        )
        self.similarity = self.inferencer.load_text_branch()
        branch = config.model.text_branch
        if self.similarity.branch.encoder is None:
            self.similarity = self.inferencer.load_text_branch(_encoder_of(branch))
        prompts = {"type": "PromptBank", **branch.prompts}
        self.bank: PromptBank = MODELS.build(
            {**prompts, "descriptions": str(descriptions)}
        )
        cached = branch.get("features")
        if cached is None or features in (None, cached):
            self.class_features = self.similarity.class_features(bank=self.bank).cpu()
        else:
            other = CachedTextEncoder(str(features))
            if other.file.encoder != CachedTextEncoder(cached).file.encoder:
                raise ValueError(
                    f"{features} was made by another encoder than {cached}, which the "
                    f"model was trained with: {other.file.encoder}"
                )
            texts = class_features(self.bank, other.encode(self.bank.texts))
            self.class_features = texts.transpose(0, 1)

    def held_out(
        self, data: SeenData, progress: Callable[[int], None] | None = None
    ) -> ClipFeatures:
        """Compute the features of the clips that were held out from training.

        Args:
            data: The training's data.
            progress: Told the number of clips after each batch.
        """
        seen = np.array(self.split.seen)
        return self._clips(data.annotations, HELD_OUT, seen, progress)

    def test(
        self,
        ann_file: Path,
        split: str,
        progress: Callable[[int], None] | None = None,
    ) -> ClipFeatures:
        """Compute the features of a split's clips, of all classes.

        Args:
            ann_file: The annotation file.
            split: The split.
            progress: Told the number of clips after each batch.
        """
        return self._clips(ann_file, split, np.arange(self.split.num_classes), progress)

    def _clips(
        self,
        ann_file: Path,
        split: str,
        classes: np.ndarray,
        progress: Callable[[int], None] | None,
    ) -> ClipFeatures:
        where = f"annotation file {ann_file}, split '{split}'"
        annotations = self.inferencer.read(str(ann_file), where, split)
        labels = read_labels(annotations, len(classes), where)
        if (labels < 0).any():
            raise ValueError(
                f"{where}: {int((labels < 0).sum())} clips have no label, the first is "
                f"{annotations[int((labels < 0).argmax())]['frame_dir']}"
            )
        features = extract_features(
            self.inferencer, self.similarity, annotations, where, progress
        )
        return ClipFeatures(
            names=tuple(item["frame_dir"] for item in annotations),
            labels=classes[labels],
            features=features,
            parts=self.similarity.parts,
            classes=self.bank.labels,
            class_features=self.class_features,
            source={
                "checkpoint": str(self.inferencer.checkpoint),
                "annotations": where,
            },
        )


def _encoder_of(branch: Mapping[str, Any]) -> TextEncoder:
    if branch.get("features") is not None:
        return CachedTextEncoder(branch["features"])
    return build_frozen_encoder(branch["encoder"])
