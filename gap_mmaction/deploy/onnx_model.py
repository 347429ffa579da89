"""ONNX: exporting a model, and running the result."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gap_mmaction.utils.dependency import import_for

from .clip_scorer import ClipScorer

INPUT, OUTPUT = "clips", "scores"
_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_FEWEST_AT_EXPORT = 2


def require_onnx() -> None:
    """Check that what ONNX takes is installed.

    Raises:
        ImportError: If packages are missing; the message says how to get them.
    """
    _import(*_PACKAGES)


def export_onnx(
    scorer: ClipScorer,
    shape: tuple[int, ...],
    metadata: Mapping[str, str],
    opset: int | None = None,
) -> bytes:
    """Export a model to ONNX.

    The number of samples, of clips and, where the backbone allows for more than one,
    of persons is free; the number of frames is fixed.

    Args:
        scorer: The model, in evaluation mode.
        shape: The shape ``(clips, M, T, V, C)`` of a sample.
        metadata: Texts to put into the file.
        opset: Version of ONNX's operators; by default that of torch's exporter.

    Returns:
        The content of the file. Its input is ``clips`` ``[batch, clips, persons, T,
        V, C]``, its output ``scores``.

    Raises:
        ImportError: If a package is missing.
        ValueError: If torch cannot export the model.
    """
    require_onnx()
    _, persons, *rest = shape
    limit = scorer.persons
    free = limit is None or limit > 1
    # The exporter takes a size of one for a fixed one.
    example = torch.zeros(
        _FEWEST_AT_EXPORT,
        _FEWEST_AT_EXPORT,
        (limit or _FEWEST_AT_EXPORT) if free else persons,
        *rest,
    )
    dynamic = {0: torch.export.Dim("batch"), 1: torch.export.Dim("clips")}
    if free:
        dynamic[2] = torch.export.Dim("persons", min=1, max=limit)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            program: Any = torch.onnx.export(
                scorer,
                (example,),
                dynamo=True,
                dynamic_shapes=(dynamic,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=opset,
                verbose=False,
            )
        except RuntimeError as error:
            raise ValueError(
                f"torch cannot export this {type(scorer.backbone).__name__} to ONNX: "
                f"{error}. --format torchscript may do"
            ) from error
    for node in program.model.graph.all_nodes():
        # Lines of the source on this machine, more of them than there are weights.
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    program.model.metadata_props.update(metadata)
    content: bytes = program.model_proto.SerializeToString()
    return content


class OnnxScorer:
    """An ONNX model on a CPU, by onnxruntime.

    Args:
        content: The content of the file.
        threads: How many threads it may use.

    Raises:
        ImportError: If onnxruntime is missing.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        runtime: Any = _import("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Errors only: what is wrong is raised besides.
        options.log_severity_level = 4
        self._session = runtime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, clips: Tensor) -> Tensor:
        """Score clips ``[B, clips, M, T, V, C]``."""
        feed = {INPUT: np.ascontiguousarray(clips.numpy())}
        return torch.from_numpy(self._session.run(None, feed)[0])


def _import(*packages: str) -> Any:
    return import_for(
        "export to ONNX",
        *packages,
        remedy="or export with --format torchscript, which needs torch alone",
    )
