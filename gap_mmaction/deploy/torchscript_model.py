"""TorchScript: exporting a model, and running the result."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from .clip_scorer import ClipScorer

_METADATA = "metadata.json"


def export_torchscript(
    scorer: ClipScorer, shape: tuple[int, ...], metadata: Mapping[str, str]
) -> bytes:
    """Trace a model.

    Args:
        scorer: The model, in evaluation mode.
        shape: The shape ``(clips, M, T, V, C)`` of a sample. The number of samples, of
            clips and of persons is free, as in ONNX.
        metadata: Texts to put into the file, as its extra file ``metadata.json``.

    Returns:
        The content of the file, for ``torch.jit.load``.
    """
    clips, persons, *rest = shape
    example = torch.zeros(2, max(clips, 2), persons, *rest)
    with warnings.catch_warnings(), torch.no_grad():
        # That TorchScript is to go, and that Python's checks of shapes are not traced.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(scorer, (example,), check_trace=False)
        frozen = torch.jit.freeze(traced)
        stream = io.BytesIO()
        extra = {_METADATA: json.dumps(dict(metadata))}
        torch.jit.save(frozen, stream, _extra_files=extra)
    return stream.getvalue()


class TorchScriptScorer:
    """A TorchScript model.

    Args:
        content: The content of the file.
    """

    def __init__(self, content: bytes) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._model = torch.jit.load(io.BytesIO(content), map_location="cpu")

    def __call__(self, clips: Tensor) -> Tensor:
        """Score clips ``[B, clips, M, T, V, C]``."""
        with torch.no_grad():
            scores: Tensor = self._model(clips)
        return scores
