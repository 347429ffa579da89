"""PartFeatures: features of skeletons and of the texts of their classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from gap_mmaction.apis import SkeletonInferencer


@dataclass(frozen=True)
class PartFeatures:
    """What the text branch brings together, for the samples of a data set.

    Attributes:
        parts: Names of the K slots.
        class_names: Names of the classes.
        labels: The class of each sample, ``[N]``.
        skeletons: Features of the samples, ``[N, K, D]``, of norm 1.
        texts: Features of the classes' texts, ``[C, K, D]``, of norm 1.
    """

    parts: tuple[str, ...]
    class_names: tuple[str, ...]
    labels: np.ndarray
    skeletons: np.ndarray
    texts: np.ndarray

    @classmethod
    def of(
        cls,
        inferencer: SkeletonInferencer,
        annotations: Sequence[Mapping[str, Any]],
        where: str,
        on_batch: Callable[[int], Any] | None = None,
    ) -> PartFeatures:
        """Run a model with its text branch.

        Args:
            inferencer: The model.
            annotations: With ``label``, as :meth:`.SkeletonInferencer.read` gives them.
            where: The file that they come from, for messages.
            on_batch: Is called with the number of samples after each batch.

        Raises:
            ValueError: If a sample has no label of the model's classes or cannot be
                used, or if config or checkpoint has no text branch.
        """
        similarity = inferencer.load_text_branch()
        labels, features = [], []
        for start in range(0, len(annotations), inferencer.batch_size):
            batch = annotations[start : start + inferencer.batch_size]
            labels += [_label(a, len(inferencer.labels), where) for a in batch]
            samples = [inferencer.prepare(a, where=where) for a in batch]
            data = {
                key: [sample[key] for sample in samples]
                for key in ("inputs", "data_samples")
            }
            features.append(similarity.skeleton_features(data).cpu())
            if on_batch is not None:
                on_batch(len(batch))
        if not features:
            raise ValueError(f"{where}: no samples")
        return cls(
            similarity.parts,
            inferencer.labels,
            np.array(labels),
            torch.cat(features).numpy(),
            similarity.class_features().cpu().numpy(),
        )

    def choose(self, classes: Sequence[int]) -> PartFeatures:
        """Take some classes, in the order given.

        Args:
            classes: Indices.

        Raises:
            ValueError: If one has no samples.
        """
        for label in classes:
            if not (self.labels == label).any():
                raise ValueError(f"class {self.class_names[label]!r} has no samples")
        kept = np.isin(self.labels, classes)
        new = {label: index for index, label in enumerate(classes)}
        return replace(
            self,
            class_names=tuple(self.class_names[label] for label in classes),
            labels=np.array([new[label] for label in self.labels[kept].tolist()]),
            skeletons=self.skeletons[kept],
            texts=self.texts[list(classes)],
        )

    def centred(self) -> PartFeatures:
        """Take away what all skeletons have in common, and what all texts have.

        The loss (GAP, eq. 4 to 6) compares the texts with one another for a skeleton,
        and the skeletons for a text. What is common to one side does not count there,
        but it keeps the two sides apart in a picture.

        Returns:
            The features less the mean of their side, over classes alike, of norm 1.
        """
        means = np.stack(
            [self.skeletons[self.labels == c].mean(0) for c in np.unique(self.labels)]
        )
        return replace(
            self,
            skeletons=_unit(self.skeletons - means.mean(0)),
            texts=_unit(self.texts - self.texts.mean(0)),
        )

    def nearest_text(self) -> np.ndarray:
        """Say how often the nearest text is that of the sample's own class.

        Returns:
            A share for each slot, ``[K]``.
        """
        cosines = np.einsum("nkd,ckd->nkc", self.skeletons, self.texts)
        return np.asarray((cosines.argmax(2) == self.labels[:, None]).mean(0))


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12))


def _label(annotation: Mapping[str, Any], num_classes: int, where: str) -> int:
    label = annotation.get("label")
    if label is None or not 0 <= int(label) < num_classes:
        raise ValueError(
            f"{where}: {annotation.get('frame_dir')} has the label {label!r}, but the "
            f"model has {num_classes} classes; give the annotations it was tested on"
        )
    return int(label)
