"""Files of text features: safetensors with the texts they were made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.strict_json import parse_json

FORMAT = "gap-text-features/1"

_REMEDY = (
    "make one with tools/cache_text_features.py, or correct the name (in a config, "
    "model.text_branch.features)"
)


@dataclass(frozen=True)
class FeatureFile:
    """A file of text features, open for reading.

    Attributes:
        path: The file.
        embed_dims: Width D of the features.
        texts: The texts, in the order of the rows.
        encoder: What made the features, in words.
    """

    path: Path
    embed_dims: int
    texts: tuple[str, ...]
    encoder: str

    def read(self) -> Tensor:
        """Read the features ``[len(texts), D]``.

        Raises:
            ValueError: If they are no numbers, or not finite.
        """
        try:
            with safe_open(self.path, framework="pt") as file:
                features = file.get_tensor("features")
        except Exception as error:  # dtypes that torch or safetensors does not know
            raise ValueError(
                f"{self.path}: `features` cannot be read ({str(error)[:300]}); "
                f"{_REMEDY}"
            ) from error
        if not features.is_floating_point():
            raise ValueError(
                f"{self.path}: `features` are {features.dtype}, not floating-point "
                f"numbers; {_REMEDY}"
            )
        features = features.float()
        bad = (~features.isfinite()).any(dim=1).nonzero()
        if len(bad):
            raise ValueError(
                f"{self.path}: {len(bad)} of {len(features)} rows of `features` are "
                f"not finite, the first is that of {brief(self.texts[int(bad[0])])}; "
                f"{_REMEDY}"
            )
        return features


def hash_texts(texts: Iterable[str]) -> str:
    """Give the SHA-256 of a set of texts, whatever their order."""
    joined = "\n".join(sorted(set(texts)))
    return hashlib.sha256(joined.encode()).hexdigest()


def save_features(
    path: str | Path, texts: Sequence[str], features: Tensor, encoder: str
) -> None:
    """Write text features.

    Args:
        path: The file, ``.safetensors``.
        texts: The texts.
        features: ``[len(texts), D]``.
        encoder: What made them, in words.
    """
    metadata = {
        "format": FORMAT,
        "encoder": encoder,
        "texts": json.dumps(list(texts)),
        "sha256": hash_texts(texts),
    }
    content = save({"features": features.contiguous()}, metadata)
    with atomic_file(path) as stream:
        stream.write(content)


def open_features(path: str | Path) -> FeatureFile:
    """Read a feature file's header.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no feature file, or its hash does not fit its texts.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no feature file {str(path)!r}; {_REMEDY}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            shape = (
                file.get_slice("features").get_shape()
                if "features" in file.keys()  # noqa: SIM118
                else None
            )
    except Exception as error:  # SafetensorError, and what its numbers overflow
        raise ValueError(
            f"{path} is no readable safetensors file ({str(error)[:300]}); {_REMEDY}"
        ) from error
    if metadata.get("format") != FORMAT or shape is None or len(shape) != 2:
        raise ValueError(
            f"{path}: format is {brief(metadata.get('format'))}, expected {FORMAT!r} "
            f"with a matrix `features`; {_REMEDY}"
        )
    texts = _read_texts(metadata.get("texts", "[]"))
    if hash_texts(texts) != metadata.get("sha256") or len(texts) != shape[0]:
        raise ValueError(
            f"{path}: sha256 {brief(metadata.get('sha256'))} in its header does not "
            f"fit its {len(texts)} texts and {shape[0]} rows; the file is damaged, "
            f"{_REMEDY}"
        )
    if not shape[1]:
        raise ValueError(f"{path}: its features have the width 0; {_REMEDY}")
    return FeatureFile(path, shape[1], texts, metadata.get("encoder", "unknown"))


def _read_texts(header: str) -> tuple[str, ...]:
    """Read the texts of a header; none where it is damaged."""
    try:
        texts = parse_json(header)
        # Lone surrogates, which JSON can write, have no hash.
        "".join(texts).encode()
    except (TypeError, ValueError):
        return ()
    return tuple(texts) if isinstance(texts, list) else ()
