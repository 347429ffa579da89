"""Export a recognizer, and check what came out before it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmengine.config import Config

from gap_mmaction.evaluation.cost import compare
from gap_mmaction.models.data_preprocessors import SkeletonDataPreprocessor
from gap_mmaction.version import __version__

from .checkpoint_file import sha256_of, write_bytes
from .clip_scorer import ClipScorer, average_of
from .clips import Clips
from .folding import fold_batch_norms
from .onnx_model import OnnxScorer, export_onnx, require_onnx
from .parity import (
    Parity,
    RecognizerScorer,
    Scorer,
    compare_scorers,
    no_grad,
    with_fewer_persons,
)
from .torchscript_model import TorchScriptScorer, export_torchscript

FORMATS = ("onnx", "torchscript")
_BATCH = 16
_SOME = 8


class ExportError(ValueError):
    """An exported model that does not give what torch gives."""


@dataclass
class Exporter:
    """Exports one recognizer.

    Attributes:
        recognizer: In evaluation mode, on the CPU.
        clips: What to check with; their shape is that of the export.
        form: One of :data:`FORMATS`.
        average: See :class:`.clip_scorer.ClipScorer`; None for what the head does.
        fold: Whether batch normalizations are folded.
        tolerance: See :meth:`.parity.Parity.holds`.
        opset: Version of ONNX's operators.
        report: What has been checked and measured, by name.
    """

    recognizer: RecognizerGCN
    clips: Clips
    form: str = "onnx"
    average: str | None = None
    fold: bool = True
    tolerance: float = 1e-4
    opset: int | None = None
    report: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.recognizer, RecognizerGCN):
            raise ValueError(
                f"model.type is {type(self.recognizer).__name__}, only RecognizerGAP "
                "and RecognizerGCN are exported"
            )
        if self.form not in FORMATS:
            raise ValueError(f"the format {self.form!r} is none of {list(FORMATS)}")
        if self.form == "onnx":
            require_onnx()
        self.average = self.average or average_of(self.recognizer)
        self.reference = RecognizerScorer(self.recognizer, self.average)
        self._exported: Scorer | None = None

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        """Export, check, and write the file if it is right.

        Args:
            path: Where.
            metadata: Texts to put into the file besides those on the model.

        Raises:
            ExportError: If the folded or the exported model differs from torch's; no
                file is written then.
            ImportError: If a package is missing.
        """
        model = self.recognizer
        if self.fold:
            model, counts = fold_batch_norms(self.recognizer)
            self.report["batch_norms"] = counts
        assert self.average is not None
        scorer = ClipScorer(model, self.average)
        pairs = [(batch, batch) for batch in self.clips.batches(_BATCH)]
        self._check(
            "folded plain torch" if self.fold else "plain torch",
            compare_scorers(self.reference, no_grad(scorer), pairs),
        )
        texts = {**self._metadata(), **metadata}
        if self.form == "onnx":
            content = export_onnx(scorer, self.clips.shape, texts, self.opset)
            self._exported = OnnxScorer(content)
        else:
            content = export_torchscript(scorer, self.clips.shape, texts)
            self._exported = TorchScriptScorer(content)
        self._check(self.form, compare_scorers(self.reference, self._exported, pairs))
        some = pairs[0][0][:_SOME]
        few = list(with_fewer_persons(some, scorer.persons))
        if few:
            parity = compare_scorers(self.reference, self._exported, few)
            self._check(f"{self.form}, fewer persons", parity)
        several = torch.cat([some, some.flip(0)], dim=1)
        parity = compare_scorers(self.reference, self._exported, [(several, several)])
        self._check(f"{self.form}, more clips", parity)
        write_bytes(path, content)
        self.report.update(file=path.name, sha256=sha256_of(content), size=len(content))

    def measure(self, batch: int, pairs: int) -> dict[str, float]:
        """Time the exported model beside torch's, one thread each.

        Args:
            batch: Sequences at a time.
            pairs: How often each is timed.

        Returns:
            Median milliseconds of processor time per sequence: ``exported_ms``,
            ``torch_ms``; and their ``ratio``, the median over the pairs.
        """
        assert self._exported is not None
        samples = (self.clips.samples * batch)[:batch]
        inputs, exported = torch.stack(samples), self._exported
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            summary = compare(
                lambda: exported(inputs),
                lambda: self.reference(inputs),
                pairs,
                torch.device("cpu"),
            )
        finally:
            torch.set_num_threads(threads)
        return dict(
            batch=batch,
            exported_ms=summary["ours_ms"] / batch,
            torch_ms=summary["other_ms"] / batch,
            ratio=summary["ratio"],
        )

    def _check(self, name: str, parity: Parity) -> None:
        self.report[name] = parity
        if not parity.holds(self.tolerance):
            raise ExportError(
                f"{name}: {parity}; with a tolerance of {self.tolerance:g} this is "
                "another model, and no file is written"
            )

    def _metadata(self) -> dict[str, str]:
        _, persons, frames, joints, coordinates = self.clips.shape
        preprocessor = self.recognizer.data_preprocessor
        texts = {
            "gap_mmaction": __version__,
            "average_clips": str(self.average),
            "shape": json.dumps(
                dict(persons=persons, frames=frames, joints=joints, axes=coordinates)
            ),
        }
        if isinstance(preprocessor, SkeletonDataPreprocessor):
            # Done in the file: it takes joints, whatever the stream.
            texts["stream"] = preprocessor.stream
            texts["layout"] = str(preprocessor.skeleton.name)
        return texts


def metadata_of(cfg: Config, checkpoint: Path) -> dict[str, str]:
    """Tell an exported file's origin and how its input is made.

    Args:
        cfg: The config.
        checkpoint: The weights.

    Returns:
        Name and hash of the checkpoint, and the test pipeline as JSON.
    """
    loader = cfg.get("test_dataloader") or {}
    pipeline = (loader.get("dataset") or {}).get("pipeline") or []
    return {
        "checkpoint": checkpoint.name,
        "checkpoint_sha256": sha256_of(checkpoint.read_bytes()),
        "test_pipeline": json.dumps([dict(step) for step in pipeline], default=str),
    }
