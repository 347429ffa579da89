"""Exports a recognizer, and checks what came out before it is written."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from mmaction.models.recognizers import RecognizerGCN
from mmengine.config import Config
from torch import Tensor

from gap_mmaction.evaluation.cost import compare
from gap_mmaction.models.data_preprocessors import SkeletonDataPreprocessor
from gap_mmaction.utils.files import file_digest, write_file
from gap_mmaction.version import __version__

from .clip_scorer import ClipScorer
from .clips import Clips
from .exported_model import (
    KEY_OF_CHECKPOINT,
    export_onnx,
    export_torchscript,
    run_onnx,
    run_torchscript,
)
from .folding import fold_batch_norms

FORMATS = ("onnx", "torchscript")
Scorer = Callable[[Tensor], Tensor]
"""From clips ``[B, clips, M, T, V, C]`` to scores."""


@dataclass(frozen=True)
class Parity:
    """Two models' scores side by side."""

    samples: int  # or clips where they are not averaged
    same_labels: int  # samples with the highest score at the same class in both
    difference: float  # the largest of two scores
    largest: float  # score of the reference, in absolute value

    def holds(self, tolerance: float) -> bool:
        """Whether all labels are the same and all scores are close.

        The tolerance is in units of the largest score, and of 1 where that is less.
        """
        close = self.difference <= tolerance * max(self.largest, 1.0)
        return self.samples > 0 and self.same_labels == self.samples and close

    def __str__(self) -> str:
        return (
            f"{self.same_labels:,} of {self.samples:,} labels the same, largest "
            f"difference of the scores {self.difference:.2e} (largest score "
            f"{self.largest:.3g})"
        )


def recognizer_scorer(recognizer: RecognizerGCN, average: str) -> Scorer:
    """Returns what scores clips as ``tools/test.py`` does, but for the average."""

    @torch.no_grad()
    def score(clips: Tensor) -> Tensor:
        data = {"inputs": list(clips), "data_samples": None}
        inputs = recognizer.data_preprocessor(data, False)["inputs"]
        scores, _ = recognizer.extract_feat(inputs, stage="head")
        head = recognizer.cls_head
        kept = head.average_clips
        head.average_clips = None if average == "none" else average
        try:
            averaged: Tensor = head.average_clip(scores, num_segs=clips.shape[1])
        finally:
            head.average_clips = kept
        return averaged

    return score


def compare_scorers(
    reference: Scorer, other: Scorer, pairs: Iterable[tuple[Tensor, Tensor]]
) -> Parity:
    """Scores clips by two models; each pair has those of the one and of the other."""
    samples = same = 0
    difference = largest = 0.0
    for for_reference, for_other in pairs:
        with torch.no_grad():
            expected, actual = reference(for_reference), other(for_other)
        if expected.shape != actual.shape:
            raise ValueError(f"scores {list(expected.shape)} and {list(actual.shape)}")
        equal = expected.argmax(-1) == actual.argmax(-1)
        samples += equal.numel()
        same += int(equal.sum())
        gap = (expected - actual).abs().max().item()
        # A NaN must not pass as a small difference.
        difference = math.inf if math.isnan(gap) else max(difference, gap)
        largest = max(largest, expected.abs().max().item())
    return Parity(samples, same, difference, largest)


def with_fewer_persons(
    clips: Tensor, limit: int | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Leaves out all persons but the first, all but the first two, and so on.

    Yields clips for torch, with zeros in their place where there is a limit of persons,
    and clips for the exported model.
    """
    for count in range(1, clips.shape[2]):
        full = few = clips[:, :, :count]
        if limit is not None:
            full = clips.clone()
            full[:, :, count:] = 0
        yield full, few


@dataclass
class Exporter:
    """Exports one recognizer."""

    recognizer: RecognizerGCN  # in evaluation mode, on the CPU
    clips: Clips  # to check with; their shape is that of the export
    form: str = "onnx"  # one of FORMATS
    average: str = ""  # one of AVERAGES; by default what the head does
    fold: bool = True  # whether batch normalizations are folded
    tolerance: float = 1e-4  # see Parity.holds
    opset: int | None = None  # version of ONNX's operators
    report: dict[str, Any] = field(default_factory=dict)  # what was found, by name

    def __post_init__(self) -> None:
        if not isinstance(self.recognizer, RecognizerGCN):
            raise ValueError(
                f"model.type is {type(self.recognizer).__name__}, only RecognizerGAP "
                "and RecognizerGCN are exported"
            )
        self.recognizer.requires_grad_(False)
        self.average = self.average or self.recognizer.cls_head.average_clips or "none"
        self.reference = recognizer_scorer(self.recognizer, self.average)

    def export(self, path: Path, metadata: dict[str, str]) -> None:
        """Exports and checks, and writes the file if the scores are those of torch."""
        model = self.recognizer
        if self.fold:
            model, self.report["batch_norms"] = fold_batch_norms(model)
        scorer = ClipScorer(model, self.average)
        pairs = [(batch, batch) for batch in self.clips.batches(16)]
        self._check("folded plain torch" if self.fold else "plain torch", scorer, pairs)
        texts = {**self._metadata(), **metadata}
        if self.form == "onnx":
            content = export_onnx(scorer, self.clips.shape, texts, self.opset)
            exported = run_onnx(content)
        else:
            content = export_torchscript(scorer, self.clips.shape, texts)
            exported = run_torchscript(content)
        self._check(self.form, exported, pairs)
        some = pairs[0][0][:8]
        few = list(with_fewer_persons(some, scorer.persons))
        if few:
            self._check(f"{self.form}, fewer persons", exported, few)
        several = torch.cat([some, some.flip(0)], dim=1)
        self._check(f"{self.form}, more clips", exported, [(several, several)])
        write_file(path, content)
        digest = sha256(content).hexdigest()
        self.report.update(file=path.name, sha256=digest, size=len(content))
        self._exported = exported

    def measure(self, batch: int, pairs: int) -> dict[str, float]:
        """Times the exported model and torch's in turns, one thread each.

        Returns median milliseconds of processor time per sequence, and their ratio.
        """
        inputs = torch.stack((self.clips.samples * batch)[:batch])
        ours, other = (partial(s, inputs) for s in (self._exported, self.reference))
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            found = compare(ours, other, pairs, torch.device("cpu"))
        finally:
            torch.set_num_threads(threads)
        return dict(
            batch=batch,
            exported_ms=found["ours_ms"] / batch,
            torch_ms=found["other_ms"] / batch,
            ratio=found["ratio"],
        )

    def _check(
        self, name: str, scorer: Scorer, pairs: Iterable[tuple[Tensor, Tensor]]
    ) -> None:
        parity = compare_scorers(self.reference, scorer, pairs)
        self.report[name] = parity
        if not parity.holds(self.tolerance):
            raise ValueError(
                f"{name}: {parity}; with a tolerance of {self.tolerance:g} this is "
                "another model, and no file is written"
            )

    def _metadata(self) -> dict[str, str]:
        _, persons, frames, joints, axes = self.clips.shape
        shape = dict(persons=persons, frames=frames, joints=joints, axes=axes)
        texts = {
            "gap_mmaction": __version__,
            "average_clips": self.average,
            "shape": json.dumps(shape),
        }
        preprocessor = self.recognizer.data_preprocessor
        if isinstance(preprocessor, SkeletonDataPreprocessor):
            # Done in the file: it takes joints, whatever the stream.
            texts["stream"] = preprocessor.stream
            texts["layout"] = str(preprocessor.skeleton.name)
        return texts


def metadata_of(cfg: Config, checkpoint: Path) -> dict[str, str]:
    """Returns an exported file's origin and, as JSON, how its input is made."""
    loader = cfg.get("test_dataloader") or {}
    pipeline = (loader.get("dataset") or {}).get("pipeline") or []
    return {
        "checkpoint": checkpoint.name,
        KEY_OF_CHECKPOINT: file_digest(checkpoint),
        "test_pipeline": json.dumps([dict(step) for step in pipeline], default=str),
    }
