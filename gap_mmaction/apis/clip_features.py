"""ClipFeatures: features of clips and of classes' texts, and a file of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gap_mmaction.utils.atomic_file import atomic_file

FORMAT = "gap-clip-features/1"
UNLABELLED = -1

_TENSORS = ("features", "labels", "class_features")


@dataclass(frozen=True)
class ClipFeatures:
    """What a model makes of N clips, and of the texts of C classes, in K slots.

    Attributes:
        names: The clips' names, N.
        labels: Their classes, int64 ``[N]``, :data:`UNLABELLED` where it is not known.
        features: ``[N, K, D]``, of norm 1, float32.
        parts: Names of the slots, K.
        classes: Names of the classes, C.
        class_features: Of the classes' texts, ``[C, K, D]``, of norm 1, float32.
        source: What they are of, e.g. the checkpoint; any words.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    features: Tensor
    parts: tuple[str, ...]
    classes: tuple[str, ...]
    class_features: Tensor
    source: Mapping[str, str]

    def __post_init__(self) -> None:
        """Check that all parts fit one another.

        Raises:
            ValueError: If they do not.
        """
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
        """Compute the cosines with texts.

        Args:
            texts: ``[C', K, D]``, of norm 1.

        Returns:
            ``[N, K, C']``, float32.
        """
        cosines: np.ndarray = torch.einsum("nkd,ckd->nkc", self.features, texts).numpy()
        return cosines

    def cosines(self) -> np.ndarray:
        """Compute the cosines with the classes' texts ``[N, K, C]``."""
        return self.compare(self.class_features)

    def save(self, path: str | PathLike[str]) -> None:
        """Write them to a safetensors file, whole or not at all."""
        metadata = {
            "format": FORMAT,
            "names": json.dumps(self.names),
            "parts": json.dumps(self.parts),
            "classes": json.dumps(self.classes),
            "source": json.dumps(dict(self.source)),
        }
        tensors = {
            "features": self.features.contiguous(),
            "labels": torch.from_numpy(self.labels.astype(np.int64)),
            "class_features": self.class_features.contiguous(),
        }
        with atomic_file(path) as stream:
            stream.write(save(tensors, metadata))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> ClipFeatures:
        """Read a file of :meth:`save`.

        Raises:
            FileNotFoundError: If it is not there.
            ValueError: If it is no such file.
        """
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
            names, parts, classes = (
                tuple(map(str, json.loads(metadata[key])))
                for key in ("names", "parts", "classes")
            )
            source = {str(k): str(v) for k, v in json.loads(metadata["source"]).items()}
            return cls(
                *(names, labels.numpy(), features.float(), parts, classes),
                texts.float(),
                source,
            )
        except (SafetensorError, LookupError, AttributeError, TypeError) as error:
            raise ValueError(f"{path}: no file of clip features ({error!r})") from error
        except ValueError as error:
            raise ValueError(f"{path}: no file of clip features ({error})") from error
