#!/usr/bin/env python
"""Measure how well a model finds actions in long recordings, made of test clips.

Clips of the test split follow one another in an order drawn by the seed, with idle
stretches in between: the body goes slowly from the last pose of one clip to the first
one of the next. Classes that the model was not trained on may be among them. What shows
that a window is none of the model's classes is chosen on clips of training.

Example:
    python tools/analysis/timeline.py configs/gap/ctrgcn_utd_mhad_cpu.py \
        data/weights/utd_mhad.safetensors --out work_dirs/timeline
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config

from gap_mmaction.apis import ActionTimeline, Segment, SkeletonInferencer, Unknown
from gap_mmaction.apis.timeline import NONE
from gap_mmaction.apis.trained_model import read_weights
from gap_mmaction.apis.unknown import Window
from gap_mmaction.deploy.exported_model import run_onnx
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.evaluation.segmentation import Span, auroc, labels_at, segmental_f1
from gap_mmaction.models.recognizers.recognizer_gap import TEXT_PREFIX
from gap_mmaction.utils.command_line import (
    add_cfg_options,
    count,
    read_config,
    tells_errors,
)
from gap_mmaction.utils.config_parts import annotated_data, lookup
from gap_mmaction.utils.files import save_png, write_file
from gap_mmaction.visualization.timeline_bar import draw_bars

RATE = 30.0  # frames a second of both Kinect sets
IDLE = (1.0, 3.0)  # seconds between two clips
SWAY = 0.01  # metres
UNSEEN = -2  # an action that the model was not trained on
WAYS = {  # how labels are smoothed, and what tells unknown actions
    "best class of each window": ("none", ()),
    "mean": ("mean", ()),
    "Viterbi": ("viterbi", ()),
    "best class, unknown by score": ("none", ("score",)),
    "Viterbi, unknown by score": ("viterbi", ("score",)),
    "Viterbi, unknown by score and text": ("viterbi", ("score", "similarity")),
}
SHOWN = ("best class of each window", "Viterbi", "Viterbi, unknown by score and text")


class Recording(NamedTuple):
    """Clips and idle stretches, one after the other."""

    joints: np.ndarray  # [T, V, C]
    spans: list[Span]  # of all clips; what is between them is idle
    windows: Sequence[Window] = ()  # what the model says of them


def make_recording(
    clips: Sequence[tuple[np.ndarray, int]], rng: np.random.Generator
) -> Recording:
    """Joins clips ``[T, V, C]`` with their labels."""
    joints, spans = clips[0][0][:0], []
    for clip, label in clips:
        if len(joints):
            joints = np.concatenate([joints, _idle(joints[-1], clip[0], rng)])
        spans.append((len(joints) / RATE, (len(joints) + len(clip)) / RATE, label))
        joints = np.concatenate([joints, clip])
    return Recording(joints, spans)


def _idle(last: np.ndarray, first: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Goes from a pose to another, swaying slowly."""
    count = round(RATE * rng.uniform(*IDLE))
    way = np.linspace(0, 1, count + 2)[1:-1, None, None]
    way = way * way * (3 - 2 * way)
    phase = rng.uniform(0, 2 * np.pi, size=(1, *last.shape))
    seconds = np.arange(1, count + 1)[:, None, None] / RATE
    sway = SWAY * np.sin(2 * np.pi * 0.4 * seconds + phase) * np.sin(np.pi * way)
    return np.asarray(last * (1 - way) + first * way + sway, np.float32)


def smooth(
    timeline: ActionTimeline, windows: Sequence[Window], way: str, unknown: Unknown
) -> list[Segment]:
    """Returns the segments by one of ``WAYS``."""
    timeline.smoothing, keys = WAYS[way]
    limits = {key: getattr(unknown, key) for key in (*keys, "temperature", "spread")}
    timeline.unknown = Unknown(**limits)
    return timeline.smooth(windows)


def measure(
    timeline: ActionTimeline, recordings: Sequence[Recording], unknown: Unknown
) -> list[dict[str, Any]]:
    """Returns a row for each way to smooth: right frames and F1 in percent."""
    rows = []
    for way in _ways(unknown):
        pairs, right = [], []
        for joints, spans, windows in recordings:
            segments = smooth(timeline, windows, way, unknown)
            found = [(one.start, one.end, one.label) for one in segments]
            times = np.arange(len(joints)) / RATE
            pairs.append((found, spans))
            right.append(labels_at(found, times) == labels_at(spans, times))
        row: dict[str, Any] = {"": way, "frames": 100 * np.concatenate(right).mean()}
        row |= {f"F1@{k}": segmental_f1(pairs, k / 100) for k in (10, 25, 50)}
        rows.append(row | {"segments": sum(len(found) for found, _ in pairs)})
    return rows


def _ways(unknown: Unknown) -> list[str]:
    """Returns the ways that a model has, with texts or without."""
    has_texts = unknown.similarity is not None
    return [way for way, (_, by) in WAYS.items() if has_texts or "similarity" not in by]


def areas(recordings: Sequence[Recording], unknown: Unknown) -> dict[str, float]:
    """Returns the AUROC of known actions' windows against unknown and idle ones."""
    rows = []
    for _, spans, windows in recordings:
        for one in windows:
            middle = (one.start + one.end) / 2
            label = next((k for a, b, k in spans if a <= middle < b), NONE)
            score = unknown.calibrate(one.scores).max()
            rows.append((label, score, one.similarity or 0.0))
    table, found = np.array(rows), {}
    known = table[table[:, 0] >= 0]
    for kind, label in (("unknown", UNSEEN), ("idle", NONE)):
        other = table[table[:, 0] == label]
        if len(known) and len(other):
            found[f"{kind}, score"] = auroc(known[:, 1], other[:, 1])
            if unknown.similarity is not None:
                found[f"{kind}, text"] = auroc(known[:, 2], other[:, 2])
    return found


def stream(timeline: ActionTimeline, joints: np.ndarray, minutes: float) -> str:
    """Plays a recording over and over, and says what an update takes."""
    timeline.reset()
    took, segments = [], 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for index in range(round(60 * RATE * minutes)):
        begin = time.perf_counter()
        segments += len(timeline.update(joints[index % len(joints)], index / RATE))
        took.append(time.perf_counter() - begin)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    ms, late = 1000 * np.array(took), _dropped(np.array(took))
    return (
        f"{minutes:g} minutes at {RATE:g} frames a second: {ms.mean():.2f} ms an "
        f"update in the mean, {np.quantile(ms, 0.99):.1f} in 99 %, {ms.max():.1f} at "
        f"the most; {late} frames dropped; memory grew by {grown:.0f} MiB; {segments} "
        "segments"
    )


def _dropped(took: np.ndarray) -> int:
    """Counts frames that come while one is worked on and one waits already."""
    free, dropped = 0.0, 0
    for index, seconds in enumerate(took):
        arrives = index / RATE
        if free > arrives + 1 / RATE:  # one frame may wait
            dropped += 1
            continue
        free = max(free, arrives) + seconds
    return dropped


def clips_of(
    config: Config, model: SkeletonInferencer, loader: str
) -> list[tuple[np.ndarray, str]]:
    """Returns the clips ``[T, V, C]`` of a loader, with the names of their classes."""
    data = annotated_data(config, loader).settings
    file = lookup(config.model, "text_branch.prompts.descriptions")
    names = load_class_names(file, config.model.cls_head.num_classes)
    found = model.read(data["ann_file"], data["ann_file"], data.get("split"))
    return [(clip["keypoint"][0], names[clip["label"]]) for clip in found]


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config", help="config of the model")
    add("checkpoint")
    add("--data", metavar="CONFIG", help="config of all classes (default: the model's)")
    add("--recordings", type=count, default=10)
    add("--clips", type=count, default=15, help="of each recording")
    add("--window", type=float, default=2.0, help="seconds")
    add("--stride", type=float, default=0.25, help="seconds")
    add("--switch-cost", type=float, default=1.0, help="nats in a second's windows")
    add("--minutes", type=float, default=1.0, help="of the stream that is timed")
    add("--onnx", type=Path, help="the model as ONNX, for the stream")
    add("--seed", type=int, default=0)
    add("--out", type=Path, default=Path("work_dirs/timeline"), metavar="DIR")
    add_cfg_options(parser)
    return parser.parse_args(argv)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool."""
    args = parse_args(argv)
    config = read_config(args.config, args.cfg_options)
    model = SkeletonInferencer(config, args.checkpoint)
    rng = np.random.default_rng(args.seed)
    timeline = ActionTimeline(
        model, args.window, args.stride, RATE, switch_cost=args.switch_cost
    )
    has_texts = config.model.get("text_branch") is not None and any(
        key.startswith(TEXT_PREFIX) for key in read_weights(args.checkpoint)
    )
    # For similarities to be computed, where they can be.
    timeline.unknown = Unknown(similarity=0.0 if has_texts else None)
    labels, trained = {name: k for k, name in enumerate(model.labels)}, []
    for joints, name in clips_of(config, model, "train_dataloader"):
        trained += [(of, labels[name]) for of in timeline.windows(joints)]
    windows, of_class = zip(*trained)
    unknown = Unknown.fit(windows, np.array(of_class))
    whole = config if args.data is None else read_config(args.data, None)
    clips = clips_of(whole, model, "test_dataloader")
    timeline.unknown, recordings = unknown, []
    for _ in range(args.recordings):
        chosen = [clips[k] for k in rng.choice(len(clips), args.clips, replace=False)]
        labelled = [(joints, labels.get(name, UNSEEN)) for joints, name in chosen]
        one = make_recording(labelled, rng)
        recordings.append(one._replace(windows=timeline.windows(one.joints)))
    rows = measure(timeline, recordings, unknown)
    lines = [f"{len(recordings)} recordings of {args.clips} clips, {unknown}", ""]
    lines += [f"| {' | '.join(rows[0])} |", "|---|" + 5 * "---:|"]
    for row in rows:
        cells = [f"{v:.1f}" if isinstance(v, float) else str(v) for v in row.values()]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "AUROC of windows of known actions against others:"]
    for kind, value in areas(recordings, unknown).items():
        lines.append(f"* {kind}: {value:.3f}")
    if args.onnx is not None:
        timeline.score = run_onnx(args.onnx.read_bytes())
    lines += ["", stream(timeline, recordings[0].joints, args.minutes)]
    text = "\n".join(lines) + "\n"
    contents = {"timeline.md": text, "unknown.json": json.dumps(unknown.__dict__)}
    for name, content in contents.items():
        write_file(args.out / name, content)
    names = {UNSEEN: "an action not trained on", **dict(enumerate(model.labels))}
    bars = {"true": [Segment(a, b, k, names[k], 1) for a, b, k in recordings[0].spans]}
    for way in [way for way in _ways(unknown) if way in SHOWN]:
        bars[way] = smooth(timeline, recordings[0].windows, way, unknown)
    save_png(draw_bars(bars), args.out / "timeline.png")
    print(f"{text}written: {args.out}/timeline.md, timeline.png, unknown.json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
