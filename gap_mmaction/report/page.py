"""A run on one HTML page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined

from gap_mmaction.apis.trained_model import read_weights
from gap_mmaction.evaluation.score_file import ScoreFile
from gap_mmaction.evaluation.training_log import TrainingLog
from gap_mmaction.models.recognizers.recognizer_gap import TEXT_PREFIX
from gap_mmaction.skeletons import Skeleton
from gap_mmaction.version import __version__
from gap_mmaction.visualization.confusion_figure import draw_confusion
from gap_mmaction.visualization.curve_figure import choose_keys, draw_curves, is_share
from gap_mmaction.visualization.part_colours import PartColours

from .config_summary import summarize_config
from .data_uri import png_uri
from .run_folder import RunFolder
from .template import TEMPLATE
from .test_results import TestResults
from .worst_clips import describe_worst

_LOW = 0.8
_LEFT_OUT = ("lr", "time", "data_time", "memory", "grad_norm", "momentum")
_NO_SCORES = (
    "There are no scores of a test run: python tools/test.py CONFIG CHECKPOINT --dump "
    "scores.pkl writes them, --scores scores.pkl shows them here: accuracy by class, "
    "confusion and the worst clips."
)


@dataclass(frozen=True)
class ReportSources:
    """What a page is made from.

    Attributes:
        run: The run.
        scores: Of a test, or None.
        names: Names of the classes, where there are scores.
        annotations: Of the samples by name, for movies.
        skeleton: Their layout, or None.
        num_clips: How many of the worst clips to show.
        title: What stands above; the run's name by default.
        problems: What is left out, and how to come by it: ``movies``.
    """

    run: RunFolder
    scores: ScoreFile | None = None
    names: Sequence[str] = ()
    annotations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    skeleton: Skeleton | None = None
    num_clips: int = 6
    title: str | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


def render_report(sources: ReportSources) -> str:
    """Write the page.

    Everything that comes from files is escaped. The page loads nothing: pictures are
    data URIs, and its content security policy forbids scripts and all other sources.

    Args:
        sources: What it is made from.

    Returns:
        HTML.

    Raises:
        ValueError: If an annotation of one of the worst clips is broken.
    """
    run, scores = sources.run, sources.scores
    test = None if scores is None else TestResults.of(scores, sources.names)
    clips = (
        []
        if scores is None
        else describe_worst(
            scores,
            sources.names,
            sources.num_clips,
            sources.annotations,
            sources.skeleton,
        )
    )
    legend = []
    if sources.skeleton is not None and any(clip.movie for clip in clips):
        legend = list(PartColours.of(sources.skeleton).parts.items())
    problems = {"curves": "", "config": "", "environment": "", "movies": ""}
    problems.update({"scores": _NO_SCORES, **run.problems, **sources.problems})
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    return environment.from_string(TEMPLATE).render(
        title=sources.title or run.name,
        subtitle=_subtitle(run),
        tiles=_tiles(run, test),
        curves=_curves(run, problems),
        final=_final(run.log),
        unit="epoch" if run.log is None or run.log.by_epoch else "iteration",
        test=test,
        source="" if scores is None else scores.path,
        low=100 * _LOW,
        confusion="" if test is None else _confusion(test, sources.names),
        clips=clips,
        legend=legend,
        summary=summarize_config(run.config),
        config_text=run.config_text,
        environment=run.environment,
        problems=problems,
        version=__version__,
    )


def _subtitle(run: RunFolder) -> str:
    parts = [str(run.path)]
    if run.starts:
        start = datetime.strptime(run.starts[0], "%Y%m%d_%H%M%S")
        parts.append(f"started {start:%Y-%m-%d %H:%M}")
    if len(run.starts) > 1:
        parts.append(f"resumed or tested {len(run.starts) - 1} times")
    log = run.log
    if log is not None:
        unit = "epoch" if log.by_epoch else "iteration"
        of = "" if log.planned is None else f" of {log.planned}"
        state = "unfinished, " if log.is_unfinished else ""
        parts.append(f"{state}{unit} {log.length}{of}")
    return " · ".join(parts)


def _tiles(run: RunFolder, test: TestResults | None) -> list[dict[str, str]]:
    tiles = []
    if test is not None:
        tiles.append(_tile("top-1 of the test", f"{100 * test.accuracy.top1:.2f} %"))
        mean = f"{100 * test.accuracy.mean_class:.2f} %"
        tiles.append(_tile("mean over classes", mean))
    curve = None if run.log is None else run.log.curves.get("acc/top1")
    if curve is not None and np.isfinite(curve[1]).any():
        best = int(np.nanargmax(curve[1]))
        unit = "epoch" if run.log is None or run.log.by_epoch else "iteration"
        at = f"best top-1 in training, {unit} {curve[0][best]:g}"
        tiles.append(_tile(at, f"{100 * curve[1][best]:.2f} %"))
    if run.checkpoint is not None:
        try:
            sizes = [
                (key.startswith(TEXT_PREFIX), value.numel())
                for key, value in read_weights(run.checkpoint).items()
                if value.is_floating_point()
            ]
        except (OSError, ValueError):
            return tiles
        kept = sum(size for is_text, size in sizes if not is_text)
        extra = sum(size for is_text, size in sizes if is_text)
        tiles.append(_tile("weights of the tested model", f"{kept / 1e6:.2f} M"))
        if extra:
            name = "more in training, for the texts"
            tiles.append(_tile(name, f"{extra / 1e6:.2f} M"))
    return tiles


def _tile(name: str, value: str) -> dict[str, str]:
    return {"name": name, "value": value}


def _curves(run: RunFolder, problems: dict[str, str]) -> str:
    if run.log is None:
        return ""
    try:
        keys = choose_keys([run.log], None)
    except ValueError as error:
        problems["curves"] = str(error)
        return ""
    keys += [key for key in ("loss_con",) if key in run.log.curves]
    return png_uri(draw_curves([run.log], [run.name], keys, columns=2))


def _final(log: TrainingLog | None) -> list[dict[str, str]]:
    rows = []
    for key, (positions, values) in sorted(() if log is None else log.curves.items()):
        if key in _LEFT_OUT:
            continue
        share = is_share(key) or "/mean" in key
        scale, digits, unit = (100, 2, " %") if share else (1, 4, "")
        best, at = "", ""
        if np.isfinite(values).any():
            where = int(np.nanargmax(values) if share else np.nanargmin(values))
            best = f"{scale * values[where]:.{digits}f}{unit}"
            at = f"{math.ceil(positions[where]):d}"
        last = f"{scale * values[-1]:.{digits}f}{unit}"
        rows.append({"name": key, "last": last, "best": best, "at": at})
    return rows


def _confusion(test: TestResults, names: Sequence[str]) -> str:
    right = round(test.accuracy.top1 * test.count)
    title = f"{right:,} of {test.count:,} samples right"
    return png_uri(draw_confusion(test.matrix, list(names), title))
