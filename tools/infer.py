#!/usr/bin/env python
"""Name the actions of skeleton sequences with a trained model.

Examples:
    python tools/infer.py a21_s2_t1_skeleton.mat --model utd_mhad --out results.json
    python tools/infer.py a02_s03_e01_v03.json --config configs/gap/ctrgcn_nwucla.py \
        --checkpoint best.pth --out results.json
    python tools/infer.py poses.json --img-shape 720 1280 --out results.csv \
        --config configs/gap/ctrgcn_ntu60_2d.py --checkpoint best.pth
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.utils import ProgressBar

from gap_mmaction.apis import SkeletonInferencer, SkeletonResult
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.command_line import count
from gap_mmaction.utils.config_options import add_cfg_options
from gap_mmaction.utils.shipped_models import add_model_arguments, read_model_config

MOST_SHOWN = 20
ERRORS = (ValueError, TypeError, OSError, pickle.UnpicklingError)


@dataclass(frozen=True)
class Outcome:
    """What became of one sequence, or of a file that cannot be read.

    Attributes:
        file: The input.
        name: The sequence's name; empty where the file cannot be read.
        result: What the model says, or None.
        true_label: What the file says, or None.
        error: Why there is none.
    """

    file: str
    name: str = ""
    result: SkeletonResult | None = None
    error: str = ""
    true_label: int | None = None


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "inputs",
        nargs="+",
        metavar="INPUT",
        help=".skeleton of NTU RGB+D; .json of NW-UCLA or of mmpose; .mat of UTD-MHAD; "
        ".txt of MSR-Action3D or SBU; annotations or mmpose's results as .pkl; an "
        "array as .npy (docs/inference.md)",
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write, .json or .csv"
    )
    parser.add_argument(
        "--batch-size", type=count, default=32, metavar="N", help="(default: 32)"
    )
    parser.add_argument("--device", default="cpu", help="(default: %(default)s)")
    parser.add_argument(
        "--top-k", type=count, default=5, metavar="K", help="classes to list (5)"
    )
    parser.add_argument(
        "--part-similarity",
        action="store_true",
        help="also compare the parts of the body with the texts of the classes; the "
        "checkpoint must have kept its text branch",
    )
    parser.add_argument(
        "--labels",
        metavar="FILE",
        help="names of the classes: a description file, or the name of one that ships "
        "(default: that of the config's text branch)",
    )
    parser.add_argument("--split", help="of annotation files, the split to take")
    parser.add_argument(
        "--img-shape",
        type=count,
        nargs=2,
        metavar=("HEIGHT", "WIDTH"),
        help="of the pictures that 2D joints were found in, where inputs do not tell",
    )
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.out.suffix not in (".json", ".csv"):
        parser.error(f"--out {args.out}: must end in .json or .csv")
    return args


def build(args: argparse.Namespace) -> SkeletonInferencer:
    """Load the model.

    Args:
        args: The command line's arguments.

    Raises:
        OSError: If a file is not there.
        ValueError: If config, checkpoint and options do not fit one another.
    """
    config = read_model_config(args)
    labels = None
    if args.labels is not None:
        labels = load_class_names(args.labels, config.model.cls_head.num_classes)
    inferencer = SkeletonInferencer(
        config,
        args.checkpoint,
        args.device,
        labels=labels,
        batch_size=args.batch_size,
        top_k=args.top_k,
    )
    if args.part_similarity:
        inferencer.load_text_branch()
    return inferencer


def infer(
    inferencer: SkeletonInferencer, args: argparse.Namespace, progress: ProgressBar
) -> Iterator[list[Outcome]]:
    """Go through the inputs; what is wrong with one does not stop the others.

    Args:
        inferencer: The model.
        args: The command line's arguments.
        progress: Learns of files with many sequences.

    Yields:
        What became of some sequences, in the order of the inputs.
    """
    done: list[Outcome] = []
    waiting: list[dict[str, Any]] = []
    # Errors keep their place among the sequences that wait for a batch to fill.
    for file in args.inputs:
        try:
            annotations = inferencer.read(file, file, args.split)
        except ERRORS as error:
            done.append(Outcome(file, error=str(error)))
            annotations = []
        else:
            progress.task_num += len(annotations) - 1
        for annotation in annotations:
            outcome = Outcome(
                file, annotation["frame_dir"], true_label=_label(annotation)
            )
            try:
                sample = inferencer.prepare(annotation, args.img_shape, file)
            except ERRORS as error:
                outcome = replace(outcome, error=str(error))
            else:
                waiting.append(sample)
            done.append(outcome)
            if len(waiting) == args.batch_size:
                yield predict(inferencer, done, waiting, args.part_similarity)
                done, waiting = [], []
    yield predict(inferencer, done, waiting, args.part_similarity)


def _label(annotation: Mapping[str, Any]) -> int | None:
    label = annotation.get("label")
    return int(label) if isinstance(label, (int, np.integer)) else None


def predict(
    inferencer: SkeletonInferencer,
    outcomes: Sequence[Outcome],
    samples: Sequence[dict[str, Any]],
    part_similarity: bool,
) -> list[Outcome]:
    """Run the model on sequences that wait.

    Args:
        inferencer: The model.
        outcomes: Of sequences; those without an error wait.
        samples: The sequences that wait.
        part_similarity: Whether to compare parts with texts.

    Returns:
        The outcomes with the results.
    """
    try:
        found: list[Any] = list(inferencer.predict(samples, part_similarity))
    except ERRORS:
        # One of them has no finite scores; the others have.
        found = []
        for sample in samples:
            try:
                found += inferencer.predict([sample], part_similarity)
            except ERRORS as error:
                found.append(error)
    complete = []
    for outcome in outcomes:
        if not outcome.error:
            result = found.pop(0)
            if isinstance(result, SkeletonResult):
                outcome = replace(outcome, result=result)
            else:
                outcome = replace(outcome, error=str(result))
        complete.append(outcome)
    return complete


def write_json(
    args: argparse.Namespace, labels: Sequence[str], outcomes: Sequence[Outcome]
) -> None:
    """Write everything: all scores, and the similarities by part."""
    content = {
        "config": args.config,
        "checkpoint": args.checkpoint,
        "labels": list(labels),
        "results": [
            {
                "input": outcome.file,
                "true_label": outcome.true_label,
                **(
                    {"name": outcome.name, "error": outcome.error}
                    if outcome.result is None
                    else outcome.result.to_dict()
                ),
            }
            for outcome in outcomes
        ],
    }
    text = json.dumps(content, indent=1, allow_nan=False)
    with atomic_file(args.out) as stream:
        stream.write(f"{text}\n".encode())


def write_csv(args: argparse.Namespace, outcomes: Sequence[Outcome]) -> None:
    """Write a row for each sequence: the likeliest classes, their parts' similarity."""
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
                row += [
                    float(value) for value in result.part_similarity[:, result.label]
                ]
        row += [""] * (len(header) - len(row))
        table.writerow([*row, outcome.error])
    with atomic_file(args.out) as stream:
        # Names of files may be no valid text.
        stream.write(text.getvalue().encode(errors="backslashreplace"))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, or 1 where the model cannot be loaded, in which case nothing
        is written, or an input cannot be read, which the results say too.
    """
    args = parse_args(argv)
    try:
        inferencer = build(args)
    except (*ERRORS, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    progress = ProgressBar(len(args.inputs), file=sys.stdout)
    outcomes: list[Outcome] = []
    for some in infer(inferencer, args, progress):
        outcomes += some
        if some:
            progress.update(len(some))
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


if __name__ == "__main__":
    sys.exit(main())
