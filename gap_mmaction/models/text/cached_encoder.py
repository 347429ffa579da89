"""CachedTextEncoder: text features from a safetensors file, which has their texts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from gap_mmaction.openmmlab import MODELS
from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.files import find_shipped_file, parse_json, write_file

from .text_encoder import TextEncoder

FORMAT = "gap-text-features/1"

_REMEDY = (
    "make one with tools/cache_text_features.py, or correct the name (in a config, "
    "model.text_branch.features)"
)


@MODELS.register_module()
class CachedTextEncoder(TextEncoder):
    """A frozen encoder of features that ``tools/cache_text_features.py`` has written.

    A file that is no feature file is a ValueError.
    """

    def __init__(self, features: str) -> None:
        file = open_features(find_shipped_file(features))
        super().__init__(file.embed_dims, frozen=True)
        self.file = file

    def encode(self, texts: Sequence[str]) -> Tensor:
        """Returns features ``[len(texts), D]``; a ValueError if the file lacks some."""
        rows = {text: row for row, text in enumerate(self.file.texts)}
        missing = [text for text in texts if text not in rows]
        if missing:
            raise ValueError(
                f"{self.file.path} was made from other texts: {len(missing)} of the "
                f"{len(set(texts))} that are needed are not in it, the first is "
                f"{missing[0]!r}. tools/cache_text_features.py makes one from these "
                "descriptions and this preset (`--presets all` takes every one), where "
                "the text model is; give that (model.text_branch.features)"
            )
        return self.file.read()[[rows[text] for text in texts]]


@dataclass(frozen=True)
class FeatureFile:
    """The header of a file of features ``[len(texts), embed_dims]``."""

    path: Path
    embed_dims: int
    texts: tuple[str, ...]
    encoder: str

    def read(self) -> Tensor:
        """Returns the features; a ValueError if they are no finite numbers."""
        try:
            with safe_open(self.path, framework="pt") as file:
                features = file.get_tensor("features")
        except Exception as error:  # dtypes that torch or safetensors does not know
            raise self._error(f"cannot be read ({str(error)[:300]})") from error
        if not features.is_floating_point():
            raise self._error(f"are {features.dtype}, not floating-point numbers")
        features = features.float()
        bad = (~features.isfinite()).any(dim=1).nonzero()
        if len(bad):
            raise self._error(
                f"are not finite in {len(bad)} of {len(features)} rows, the first is "
                f"that of {brief(self.texts[int(bad[0])])}"
            )
        return features

    def _error(self, problem: str) -> ValueError:
        return ValueError(f"{self.path}: `features` {problem}; {_REMEDY}")


def hash_texts(texts: Iterable[str]) -> str:
    """Returns the SHA-256 of a set of texts, whatever their order."""
    joined = "\n".join(sorted(set(texts)))
    return hashlib.sha256(joined.encode()).hexdigest()


def save_features(
    path: str | Path, texts: Sequence[str], features: Tensor, encoder: str
) -> None:
    """Writes features ``[len(texts), D]`` and what made them, in words, to a file."""
    metadata = dict(format=FORMAT, encoder=encoder, texts=json.dumps(list(texts)))
    metadata["sha256"] = hash_texts(texts)
    content = save({"features": features.contiguous()}, metadata)
    write_file(path, content)


def open_features(path: str | Path) -> FeatureFile:
    """Reads a feature file's header; a ValueError if it is none, or is damaged."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no feature file {str(path)!r}; {_REMEDY}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            has_features = "features" in file.keys()  # noqa: SIM118
            shape = file.get_slice("features").get_shape() if has_features else []
    except Exception as error:  # SafetensorError, and what its numbers overflow
        raise ValueError(
            f"{path} is no readable safetensors file ({str(error)[:300]}); {_REMEDY}"
        ) from error
    form, digest = metadata.get("format"), metadata.get("sha256")
    if form != FORMAT or len(shape) != 2 or not shape[1]:
        raise ValueError(
            f"{path}: format is {brief(form)} and `features` have the shape "
            f"{list(shape)}, expected {FORMAT!r} and a matrix; {_REMEDY}"
        )
    texts = _read_texts(metadata.get("texts", "[]"))
    if hash_texts(texts) != digest or len(texts) != shape[0]:
        raise ValueError(
            f"{path}: sha256 {brief(digest)} in its header does not fit its "
            f"{len(texts)} texts and {shape[0]} rows; it is damaged, {_REMEDY}"
        )
    return FeatureFile(path, shape[1], texts, metadata.get("encoder", "unknown"))


def _read_texts(header: str) -> tuple[str, ...]:
    """Returns the texts of a header; none where it is damaged."""
    try:
        texts = parse_json(header)
        # Lone surrogates, which JSON can write, have no hash.
        "".join(texts).encode()
    except (TypeError, ValueError):
        return ()
    return tuple(texts) if isinstance(texts, list) else ()
