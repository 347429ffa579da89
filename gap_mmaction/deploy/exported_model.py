"""Models as ONNX and TorchScript files: writing them, and running them on a CPU."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gap_mmaction.utils.dependency import import_for
from gap_mmaction.utils.files import file_digest

from .clip_scorer import ClipScorer

KEY_OF_CHECKPOINT = "checkpoint_sha256"  # in an exported file's metadata
_ONNX_PACKAGES = ("onnx", "onnxscript", "onnxruntime")


def require_onnx(*packages: str) -> Any:
    """Imports the packages that ONNX takes and returns the first."""
    return import_for(
        "export to ONNX",
        *(packages or _ONNX_PACKAGES),
        remedy="or export with --format torchscript, which needs torch alone",
    )


def export_onnx(
    scorer: ClipScorer,
    shape: tuple[int, ...],
    metadata: Mapping[str, str],
    opset: int | None = None,
) -> bytes:
    """Exports a model to ONNX.

    The number of samples, of clips and, where the backbone allows for more than one,
    of persons is free; the number of frames is fixed.

    Args:
        scorer: The model, in evaluation mode.
        shape: The shape ``(clips, M, T, V, C)`` of a sample.
        metadata: Texts to put into the file.
        opset: Version of ONNX's operators; by default that of torch's exporter.

    Returns:
        The file: from ``clips`` ``[batch, clips, persons, T, V, C]`` to ``scores``.
    """
    require_onnx()
    dim: Any = torch.export.Dim
    persons, dynamic = shape[1], {0: dim("batch"), 1: dim("clips")}
    if scorer.persons is None or scorer.persons > 1:
        persons = scorer.persons or 2
        dynamic[2] = dim("persons", min=1, max=scorer.persons)
    # Two of each, as the exporter takes a size of one for a fixed one.
    example = torch.zeros(2, 2, persons, *shape[2:])
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            scorer,
            (example,),
            dynamo=True,
            dynamic_shapes=(dynamic,),
            input_names=["clips"],
            output_names=["scores"],
            opset_version=opset,
            verbose=False,
        )
    for node in program.model.graph.all_nodes():
        # Lines of the source on this machine, more of them than there are weights.
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    program.model.metadata_props.update(metadata)
    content: bytes = program.model_proto.SerializeToString()
    return content


def export_torchscript(
    scorer: ClipScorer, shape: tuple[int, ...], metadata: Mapping[str, str]
) -> bytes:
    """Traces a model; arguments and what is free are as in :func:`export_onnx`.

    The file's metadata are its extra file ``metadata.json``.
    """
    clips, *rest = shape
    stream = io.BytesIO()
    with warnings.catch_warnings(), torch.no_grad():
        # That TorchScript is to go, and that Python's checks of shapes are not traced.
        warnings.simplefilter("ignore")
        example = torch.zeros(2, max(clips, 2), *rest)
        traced = torch.jit.trace(scorer, (example,), check_trace=False)
        extra = {"metadata.json": json.dumps(dict(metadata))}
        torch.jit.save(torch.jit.freeze(traced), stream, _extra_files=extra)
    return stream.getvalue()


def run_onnx(
    content: bytes, checkpoint: Path | None = None
) -> Callable[[Tensor], Tensor]:
    """Returns the scoring of clips by an ONNX file, on one thread of the CPU.

    Raises:
        ValueError: If it is no model, or that of another file than ``checkpoint``.
    """
    runtime = require_onnx("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Errors only: what is wrong is raised besides.
    options.log_severity_level = 4
    with _onnx_errors("this is no ONNX model"):
        session = runtime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
    told = session.get_modelmeta().custom_metadata_map
    origin = told.get(KEY_OF_CHECKPOINT)
    if checkpoint is not None and origin not in (None, file_digest(checkpoint)):
        raise ValueError(
            f"the ONNX model is an export of {told.get('checkpoint')}, which is "
            f"another file than {checkpoint}; export that one"
        )

    def score(clips: Tensor) -> Tensor:
        feed = {"clips": np.ascontiguousarray(clips.numpy())}
        with _onnx_errors(f"the ONNX model takes no clips {list(clips.shape)}"):
            return torch.from_numpy(session.run(None, feed)[0])

    return score


@contextlib.contextmanager
def _onnx_errors(what: str) -> Iterator[None]:
    """Turns the exceptions of onnxruntime, which have no class in common."""
    try:
        yield
    except Exception as error:
        raise ValueError(f"{what} ({error})") from error


def run_torchscript(content: bytes) -> Callable[[Tensor], Tensor]:
    """Returns the scoring of clips by a TorchScript file, on the CPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = torch.jit.load(io.BytesIO(content), map_location="cpu")
    return torch.no_grad()(model.__call__)
