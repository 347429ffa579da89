#!/usr/bin/env python
"""Name the actions of skeleton sequences with a trained model.

Examples:
    python tools/infer.py a21_s2_t1_skeleton.mat --model utd_mhad --out results.json
    python tools/infer.py a02_s03_e01_v03.json --config configs/gap/ctrgcn_nwucla.py \
        --checkpoint best.pth --out results.json
    python tools/infer.py poses.json --img-shape 720 1280 --out results.csv \
        --config configs/gap/ctrgcn_ntu60_2d.py --checkpoint best.pth
    python tools/infer.py long.csv --timeline --model utd_mhad --out segments.srt
    python tools/infer.py --video in.mp4 --pose-model pose_landmarker_full.task \
        --timeline --model utd_mhad --out segments.srt
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.utils import ProgressBar

from gap_mmaction.apis import (
    ActionTimeline,
    Segment,
    SkeletonInferencer,
    SkeletonResult,
)
from gap_mmaction.apis.timeline import NONE, SMOOTHINGS
from gap_mmaction.apis.tracks import read_recording
from gap_mmaction.apis.unknown import Unknown
from gap_mmaction.deploy.exported_model import run_onnx
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.utils.command_line import (
    USER_ERRORS,
    add_cfg_options,
    count,
    positive,
    tells_errors,
)
from gap_mmaction.utils.files import write_file
from gap_mmaction.utils.shipped_models import add_model_arguments, read_model_config

MOST_SHOWN = 20
_OF_CLIPS = ("part_similarity", "top_k")
_OF_TIMELINES = ("window", "stride", "fps", "smoothing", "unknown", "onnx")


@dataclass
class Outcome:
    """What became of one sequence, or of a file that cannot be read."""

    file: str
    name: str = ""
    result: SkeletonResult | None = None
    error: str = ""  # why there is no result
    true_label: int | None = None  # what the file says

    def to_dict(self) -> dict[str, Any]:
        """Returns it as JSON has it."""
        known = {"input": self.file, "true_label": self.true_label}
        if self.result is None:
            return {**known, "name": self.name, "error": self.error}
        return {**known, **self.result.to_dict()}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help=".skeleton of NTU RGB+D; .json of NW-UCLA; .mat of UTD-MHAD; .txt of "
        "MSR-Action3D or SBU; what a pose estimator wrote; annotations as .pkl; an "
        "array as .npy (docs/inference.md)",
    )
    add_model_arguments(parser)
    out = ".json or .csv file, of a timeline also .srt"
    parser.add_argument("--out", type=Path, required=True, help=out)
    parser.add_argument("--batch-size", type=count, default=32, help="(32)")
    parser.add_argument("--device", default="cpu", help="(default: %(default)s)")
    parser.add_argument("--top-k", type=count, default=5, help="classes to list (5)")
    parser.add_argument(
        "--part-similarity",
        action="store_true",
        help="also compare the parts of the body with the texts of the classes; the "
        "checkpoint must have kept its text branch",
    )
    labels = "description file, or the name of one that ships (default: the config's)"
    parser.add_argument("--labels", metavar="FILE", help=labels)
    parser.add_argument("--split", help="of annotation files, the split to take")
    parser.add_argument(
        "--img-shape",
        type=count,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of the pictures that 2D joints were found in, where inputs do not tell",
    )
    add_cfg_options(parser)
    timeline = parser.add_argument_group("timeline")
    add = timeline.add_argument
    add("--timeline", action="store_true", help="when which action is done, one input")
    add("--window", type=positive, default=2.0, metavar="SECONDS", help="(2)")
    add("--stride", type=positive, default=0.25, metavar="SECONDS", help="(0.25)")
    rate = "frames a second of training, and of the input where it has no times (30)"
    add("--fps", type=positive, default=30.0, help=rate)
    add("--smoothing", choices=SMOOTHINGS, default=SMOOTHINGS[0], help="(%(default)s)")
    unknown = "json of what tells that it is no known action (default: the model's own)"
    add("--unknown", type=Path, metavar="FILE", help=unknown)
    add("--onnx", type=Path, metavar="FILE", help="the model as ONNX, for its scores")
    video = parser.add_argument_group("video")
    add = video.add_argument
    add("--video", type=Path, help="in place of an input (docs/timeline.md)")
    model = "RTMO's .onnx for rtmlib, or MediaPipe's .task, installed with"
    add("--pose-model", metavar="FILE", help=f"{model} --pose-python")
    python = "Python that has OpenCV and rtmlib or mediapipe (default: this one)"
    add("--pose-python", default=sys.executable, metavar="PYTHON", help=python)
    args = parser.parse_args(argv)
    if (args.video is None) != (args.pose_model is None):
        parser.error("--video and --pose-model belong together")
    if (args.video is None) == (not args.inputs):
        parser.error("give INPUT, or --video in its place")
    suffixes = (".json", ".csv", ".srt") if args.timeline else (".json", ".csv")
    if args.out.suffix not in suffixes:
        parser.error(f"--out {args.out}: must end in {' or '.join(suffixes)}")
    if args.timeline and len(args.inputs) > 1:
        parser.error("--timeline takes one input")
    for key in _OF_CLIPS if args.timeline else _OF_TIMELINES:
        if getattr(args, key) != parser.get_default(key):
            where = "without" if args.timeline else "with"
            parser.error(f"--{key.replace('_', '-')} goes {where} --timeline")
    return args


def build(args: argparse.Namespace) -> SkeletonInferencer:
    """Loads the model."""
    config = read_model_config(args)
    labels = None
    if args.labels is not None:
        labels = load_class_names(args.labels, config.model.cls_head.num_classes)
    inferencer = SkeletonInferencer(
        config, args.checkpoint, args.device, labels, args.batch_size, args.top_k
    )
    if args.part_similarity:
        inferencer.load_text_branch()
    return inferencer


def infer(
    inferencer: SkeletonInferencer, args: argparse.Namespace, progress: ProgressBar
) -> list[Outcome]:
    """Goes through the inputs; what is wrong with one does not stop the others."""
    outcomes: list[Outcome] = []
    waiting: dict[int, Mapping[str, Any]] = {}  # by their place among the outcomes

    def predict_waiting() -> None:
        found = predict(inferencer, list(waiting.values()), args.part_similarity)
        for index, result in zip(waiting, found):
            if isinstance(result, str):
                outcomes[index].error = result
            else:
                outcomes[index].result = result
            progress.update()
        waiting.clear()

    for file in args.inputs:
        try:
            annotations = inferencer.read(file, file, args.split, args.img_shape)
        except USER_ERRORS as error:
            outcomes.append(Outcome(file, error=str(error)))
            progress.update()
            continue
        progress.task_num += len(annotations) - 1
        for annotation in annotations:
            label = annotation.get("label")
            known = int(label) if isinstance(label, (int, np.integer)) else None
            outcome = Outcome(file, annotation["frame_dir"], true_label=known)
            try:
                sample = inferencer.prepare(annotation, args.img_shape, file)
                waiting[len(outcomes)] = sample
            except USER_ERRORS as error:
                outcome.error = str(error)
                progress.update()
            outcomes.append(outcome)
            if len(waiting) == args.batch_size:
                predict_waiting()
    predict_waiting()
    return outcomes


def predict(
    inferencer: SkeletonInferencer, samples: list[Mapping[str, Any]], parts: bool
) -> list[SkeletonResult | str]:
    """Returns a result for each sample, or the error."""
    try:
        return list(inferencer.predict(samples, parts))
    except USER_ERRORS as error:
        if len(samples) == 1:
            return [str(error)]
        # One of them has no finite scores; the others have.
        return [predict(inferencer, [sample], parts)[0] for sample in samples]


def write_json(
    args: argparse.Namespace, labels: Sequence[str], outcomes: Sequence[Outcome]
) -> None:
    """Writes everything: all scores, and the similarities by part."""
    content = {
        "config": args.config,
        "checkpoint": args.checkpoint,
        "labels": list(labels),
        "results": [outcome.to_dict() for outcome in outcomes],
    }
    write_file(args.out, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_csv(args: argparse.Namespace, outcomes: Sequence[Outcome]) -> None:
    """Writes a row for each sequence: likeliest classes, similarity of parts."""
    results = [outcome.result for outcome in outcomes if outcome.result is not None]
    parts = results[0].parts if results else ()
    most = max((len(result.top_labels) for result in results), default=1)
    header = ["input", "name", "true_label"]
    for rank in range(1, most + 1):
        header += [f"label_{rank}", f"label_name_{rank}", f"score_{rank}"]
    header += [f"similarity_{part}" for part in parts]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow([*header, "error"])
    for outcome in outcomes:
        row: list[Any] = [outcome.file, outcome.name, outcome.true_label]
        result = outcome.result
        if result is not None:
            for cells in zip(result.top_labels, result.top_names, result.top_scores):
                row += cells
            if result.part_similarity is not None:
                row += result.part_similarity[:, result.label].tolist()
        row += [""] * (len(header) - len(row))
        table.writerow([*row, outcome.error])
    write_file(args.out, text.getvalue())


def write_segments(out: Path, segments: Sequence[Segment]) -> None:
    """Writes a timeline as JSON, as a table or as subtitles, by the file's suffix."""
    rows = [dataclasses.asdict(segment) for segment in segments]
    text = io.StringIO()
    if out.suffix == ".json":
        text.write(json.dumps({"segments": rows}, indent=1, allow_nan=False) + "\n")
    elif out.suffix == ".csv":
        names = [field.name for field in dataclasses.fields(Segment)]
        table = csv.DictWriter(text, names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    else:
        shown = [segment for segment in segments if segment.label != NONE]
        for number, one in enumerate(shown, start=1):
            times = f"{_clock(one.start)} --> {_clock(one.end)}"
            text.write(f"{number}\n{times}\n{one.name} ({one.score:.2f})\n\n")
    write_file(out, text.getvalue())


def _clock(seconds: float) -> str:
    """Returns a time as SubRip has it."""
    whole, ms = divmod(round(1000 * max(seconds, 0)), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02},{ms:03}"


def find_poses(args: argparse.Namespace, folder: Path) -> str:
    """Runs the pose estimator over the video; returns the file of what it found."""
    script, out = Path(__file__).with_name("video_poses.py"), folder / "poses.json"
    command = [args.pose_python, script, args.video, args.pose_model, out]
    if subprocess.run(command, check=False).returncode:
        raise ValueError(
            f"{args.video}: finding the poses has failed, see above; it takes OpenCV "
            f"and rtmlib or mediapipe in {args.pose_python}: docs/timeline.md"
        )
    return str(out)


def infer_timeline(inferencer: SkeletonInferencer, args: argparse.Namespace) -> int:
    """Finds the actions of one input in time, prints and writes them."""
    file = args.inputs[0]
    found = inferencer.read(file, file, args.split, args.img_shape)
    if len(found) > 1:
        raise ValueError(f"{file}: has {len(found)} sequences, a timeline is of one")
    score = None
    if args.onnx is not None:
        weights = Path(args.checkpoint)
        try:
            score = run_onnx(
                args.onnx.read_bytes(), weights if weights.is_file() else None
            )
        except ValueError as error:
            raise ValueError(f"--onnx {args.onnx}: {error}") from error
    timeline = ActionTimeline(
        inferencer,
        window=args.window,
        stride=args.stride,
        rate=args.fps,
        smoothing=args.smoothing,
        unknown=None if args.unknown is None else Unknown.read_file(args.unknown),
        score=score,
        batch_size=args.batch_size,
        img_shape=args.img_shape,
    )
    frames = read_recording(found[0])[0].shape[1]
    bar = ProgressBar(frames, file=sys.stdout)
    segments = timeline.run(
        found[0], progress=lambda frames: bar.update(frames - bar.completed)
    )
    print()
    write_segments(args.out, segments)
    for one in segments:
        print(one)
    print(f"{len(segments)} segments; written: {args.out}")
    return 0


def infer_clips(inferencer: SkeletonInferencer, args: argparse.Namespace) -> int:
    """Names the sequences of the inputs, prints errors and writes what is found."""
    progress = ProgressBar(len(args.inputs), file=sys.stdout)
    outcomes = infer(inferencer, args, progress)
    print()
    if args.out.suffix == ".csv":
        write_csv(args, outcomes)
    else:
        write_json(args, inferencer.labels, outcomes)
    errors = [outcome.error for outcome in outcomes if outcome.error]
    for message in errors[:MOST_SHOWN]:
        print(f"error: {message}", file=sys.stderr)
    if len(errors) > MOST_SHOWN:
        print(f"and {len(errors) - MOST_SHOWN} more, see {args.out}", file=sys.stderr)
    print(f"{len(outcomes) - len(errors):,} of {len(outcomes):,}; written: {args.out}")
    return int(bool(errors))


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where an input cannot be read, or no model loaded."""
    args = parse_args(argv)
    inferencer = build(args)
    with tempfile.TemporaryDirectory() as folder:
        if args.video is not None:
            args.inputs = [find_poses(args, Path(folder))]
        return (infer_timeline if args.timeline else infer_clips)(inferencer, args)


if __name__ == "__main__":
    sys.exit(main())
