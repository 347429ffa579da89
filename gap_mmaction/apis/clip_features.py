"""Features of clips and of classes' texts: computed, kept in a file, ranked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gap_mmaction.evaluation.zero_shot import combine_slots
from gap_mmaction.utils.files import write_file

from .part_similarity import PartSimilarity
from .skeleton_inferencer import SkeletonInferencer

FORMAT = "gap-clip-features/1"
UNLABELLED = -1

_TENSORS = ("features", "labels", "class_features")
_BROKEN = (SafetensorError, LookupError, AttributeError, TypeError, ValueError)


@dataclass(frozen=True)
class ClipFeatures:
    """What a model makes of N clips, and of the texts of C classes, in K slots."""

    names: tuple[str, ...]  # of the clips
    labels: np.ndarray  # int64 [N], UNLABELLED where the class is not known
    features: Tensor  # [N, K, D], of norm 1, float32
    parts: tuple[str, ...]  # names of the slots
    classes: tuple[str, ...]  # their names
    class_features: Tensor  # of the classes' texts [C, K, D], of norm 1, float32
    source: Mapping[str, str]  # what they are of, e.g. the checkpoint; any words

    def __post_init__(self) -> None:
        clips, slots, dims = self.features.shape
        if (
            self.labels.shape != (clips,)
            or len(self.names) != clips
            or len(self.parts) != slots
            or self.class_features.shape != (len(self.classes), slots, dims)
        ):
            raise ValueError(
                f"features {list(self.features.shape)} of {len(self.names)} names, "
                f"{len(self.labels)} labels, {len(self.parts)} slots, and "
                f"{list(self.class_features.shape)} of {len(self.classes)} classes do "
                "not fit one another"
            )
        if (self.labels < UNLABELLED).any() or (self.labels >= len(self.classes)).any():
            raise ValueError(
                f"labels from {self.labels.min()} to {self.labels.max()}, but there "
                f"are {len(self.classes)} classes"
            )

    def compare(self, texts: Tensor) -> np.ndarray:
        """Computes the cosines ``[N, K, C']`` with texts ``[C', K, D]`` of norm 1."""
        cosines: np.ndarray = torch.einsum("nkd,ckd->nkc", self.features, texts).numpy()
        return cosines

    def cosines(self) -> np.ndarray:
        """Computes the cosines with the classes' texts ``[N, K, C]``."""
        return self.compare(self.class_features)

    def save(self, path: str | PathLike[str]) -> None:
        """Writes them to a safetensors file, whole or not at all."""
        metadata = {"format": FORMAT, "source": json.dumps(dict(self.source))}
        for key in ("names", "parts", "classes"):
            metadata[key] = json.dumps(getattr(self, key))
        tensors = {
            "features": self.features.contiguous(),
            "labels": torch.from_numpy(self.labels.astype(np.int64)),
            "class_features": self.class_features.contiguous(),
        }
        write_file(path, save(tensors, metadata))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> ClipFeatures:
        """Reads a file of :meth:`save`; a ValueError names it if it is no such file."""
        if not Path(path).is_file():
            raise FileNotFoundError(f"there is no file of clip features {str(path)!r}")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise ValueError(
                        f"its format is {metadata.get('format')!r}, expected {FORMAT!r}"
                    )
                features, labels, texts = (file.get_tensor(name) for name in _TENSORS)
            keys = ("names", "parts", "classes")
            lists = (tuple(map(str, json.loads(metadata[key]))) for key in keys)
            names, parts, classes = lists
            source = {str(k): str(v) for k, v in json.loads(metadata["source"]).items()}
            return cls(
                *(names, labels.numpy(), features.float(), parts, classes),
                texts.float(),
                source,
            )
        except _BROKEN as error:
            raise ValueError(f"{path}: no file of clip features ({error!r})") from error


def compute_clip_features(
    inferencer: SkeletonInferencer,
    annotations: Sequence[Mapping[str, Any]],
    where: str = "",
    source: Mapping[str, str] | None = None,
    progress: Callable[[int], Any] | None = None,
) -> ClipFeatures:
    """Runs a model with its text branch over clips and over its classes' texts."""
    similarity = inferencer.load_text_branch()
    return ClipFeatures(
        names=tuple(str(item["frame_dir"]) for item in annotations),
        labels=read_labels(annotations, len(similarity.labels), where),
        features=extract_features(inferencer, similarity, annotations, where, progress),
        parts=similarity.parts,
        classes=similarity.labels,
        class_features=similarity.class_features().cpu(),
        source=source or {},
    )


def extract_features(
    inferencer: SkeletonInferencer,
    similarity: PartSimilarity,
    annotations: Sequence[Mapping[str, Any]],
    where: str = "",
    progress: Callable[[int], Any] | None = None,
) -> Tensor:
    """Runs the model with its text branch's head over clips: ``[N, K, D]``, of norm 1.

    Args:
        inferencer: The model, with its test pipeline.
        similarity: Its text branch, as ``inferencer.load_text_branch()`` returns it.
        annotations: As ``inferencer.read()`` returns them.
        where: The file that they come from, for messages.
        progress: Told the number of clips after each batch.

    Raises:
        ValueError: If there is no clip, or one does not fit the config.
    """
    if not annotations:
        raise ValueError(f"{where}: there is no clip")
    done: list[Tensor] = []
    for start in range(0, len(annotations), inferencer.batch_size):
        batch = annotations[start : start + inferencer.batch_size]
        samples = [inferencer.prepare(item, where=where) for item in batch]
        data = {key: [s[key] for s in samples] for key in ("inputs", "data_samples")}
        features = similarity.skeleton_features(data).cpu()
        for sample, feature in zip(samples, features):
            if not feature.isfinite().all():
                raise ValueError(
                    f"{where}: {sample['name']}: its features are not finite; so are "
                    f"the weights of {inferencer.checkpoint}, or its coordinates are "
                    "too large"
                )
        done.append(features)
        if progress is not None:
            progress(len(batch))
    return torch.cat(done)


def read_labels(
    annotations: Sequence[Mapping[str, Any]], num_classes: int, where: str = ""
) -> np.ndarray:
    """Returns the classes of clips, int64 ``[N]``, :data:`UNLABELLED` for none."""
    labels = np.full(len(annotations), UNLABELLED)
    for index, item in enumerate(annotations):
        if item.get("label") is not None:
            clip = f"{where}: {item.get('frame_dir')}"
            labels[index] = check_label(item["label"], num_classes, clip)
    return labels


def check_label(label: Any, num_classes: int, where: str) -> int:
    """Returns a clip's label; raises a ValueError that names it if it is no class."""
    if not isinstance(label, (int, np.integer)) or not 0 <= label < num_classes:
        raise ValueError(
            f"{where}: label={label!r} is no class, 0 to {num_classes - 1}"
        )
    return int(label)


@dataclass(frozen=True)
class Match:
    """A clip that was found."""

    rank: int  # from 1 on
    name: str
    label: int | None  # its class, where it is known
    label_name: str  # empty where it is not known
    score: float  # weighted mean of the cosines
    cosines: dict[str, float]  # by the slots' names

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        return asdict(self)


def rank_clips(
    clips: ClipFeatures, text: Tensor, parts: Sequence[str] = (), top: int | None = None
) -> list[Match]:
    """Ranks clips by how near they are to a text, ``[K, D]`` of norm 1, nearest first.

    The given parts count alike, all by default; ``top`` is how many to return.
    """
    for part in parts:
        if part not in clips.parts:
            raise ValueError(
                f"there is no part {part!r}; the model has {', '.join(clips.parts)}"
            )
    weights = [float(not parts or part in parts) for part in clips.parts]
    cosines = clips.compare(text[None])
    scores = combine_slots(cosines, weights)[:, 0]
    matches = []
    for rank, row in enumerate(np.argsort(-scores, kind="stable")[:top], start=1):
        label = None if clips.labels[row] == UNLABELLED else int(clips.labels[row])
        matches.append(
            Match(
                rank=rank,
                name=clips.names[row],
                label=label,
                label_name="" if label is None else clips.classes[label],
                score=float(scores[row]),
                cosines=dict(zip(clips.parts, map(float, cosines[row, :, 0]))),
            )
        )
    return matches
