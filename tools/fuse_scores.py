#!/usr/bin/env python
"""Fuse the scores of several models, such as the four streams, and score the ensemble.

Examples:
    python tools/fuse_scores.py j.pkl b.pkl jm.pkl bm.pkl --weights 0.8 0.8 0.2 0.2
    python tools/fuse_scores.py j.pkl b.pkl --search --out fused.pkl
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gap_mmaction.evaluation import check_same_samples, load_scores, write_scores
from gap_mmaction.evaluation.accuracy import accuracy
from gap_mmaction.evaluation.fusion import (
    TRANSFORMS,
    WeightSearch,
    are_probabilities,
    fuse_scores,
    search_weights,
    transform_scores,
)
from gap_mmaction.utils.command_line import tells_errors


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE.pkl", help="what tools/test.py --dump wrote"
    )
    parser.add_argument(
        "--weights",
        type=float,
        nargs="+",
        help="one for each file, in their order; the paper's are 0.8 for joint and "
        "bone, 0.2 for joint motion and bone motion",
    )
    parser.add_argument(
        "--search",
        action="store_true",
        help="find weights by cross-validation: each fold of the samples is fused "
        "with weights chosen on the others",
    )
    parser.add_argument("--folds", type=int, default=5, help="of the search (5)")
    parser.add_argument(
        "--steps",
        type=int,
        default=10,
        help="weights tried are multiples of 1/STEPS that sum up to 1 (default: 10)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the folds (0)")
    parser.add_argument(
        "--transform",
        choices=TRANSFORMS,
        default="none",
        help="before fusing: nothing; softmax of raw scores; log of probabilities, "
        "which decides as raw scores do (default: %(default)s)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FUSED.pkl",
        help="write the fused scores in the form of the files; with --search those of "
        "the search",
    )
    args = parser.parse_args(argv)
    if args.weights is None and not args.search:
        parser.error("give --weights, one for each file, or --search")
    if args.out is not None and args.out.suffix not in (".pkl", ".pickle"):
        parser.error(f"--out {args.out}: must end in .pkl or .pickle")
    return args


def format_weights(weights: Sequence[float] | np.ndarray) -> str:
    """Writes weights shortly."""
    return " ".join(f"{weight:g}" for weight in weights)


def print_row(name: str, weight: str, scores: np.ndarray, labels: np.ndarray) -> None:
    """Prints the accuracies of one model or ensemble, in percent."""
    cells = " | ".join(f"{100 * value:.2f}" for value in accuracy(scores, labels))
    print(f"| {name} | {weight} | {cells} |")


def print_search(search: WeightSearch, seed: int) -> None:
    """Prints what has been chosen in each fold."""
    print(
        f"\nWeights by cross-validation, {len(search.fold_weights)} folds, seed "
        f"{seed}, {search.num_candidates:,} weights tried:\n"
    )
    print("| fold | chosen on the others | samples | top-1 % of the fold |")
    print("|---|---|---|---|")
    for fold, weights in enumerate(search.fold_weights):
        count = int((search.folds == fold).sum())
        top1 = f"{100 * search.fold_accuracies[fold]:.2f}"
        print(f"| {fold + 1} | {format_weights(weights)} | {count:,} | {top1} |")
    print(
        f"\nFor other data: --weights {format_weights(search.weights)} (chosen on all "
        "samples, so their accuracy on these means nothing)"
    )


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where the files or settings do not fit."""
    args = parse_args(argv)
    files = [load_scores(path) for path in args.files]
    has_ids = check_same_samples(files)
    scores = [transform_scores(f.scores, args.transform, f.path) for f in files]
    labels = files[0].labels
    fused = fuse_scores(scores, args.weights) if args.weights is not None else None
    search = None
    if args.search:
        search = search_weights(scores, labels, args.folds, args.steps, args.seed)
    result = fused if search is None else search.fused
    if args.out is not None and result is not None:
        ids = next((f.sample_ids for f in files if f.sample_ids is not None), None)
        write_scores(args.out, result, labels, ids)
    if len(files) > 1 and not has_ids:
        note = "not every file has the samples' names, so only number and labels say "
        note += "that they are of the same samples in the same order"
        print(f"note: {note}", file=sys.stderr)
    if args.transform == "none" and all(are_probabilities(f.scores) for f in files):
        note = "the scores are probabilities; published ensembles add raw scores, "
        note += "whose decisions --transform log gives"
        print(f"note: {note}", file=sys.stderr)
    print(f"{len(labels):,} samples, {scores[0].shape[1]} classes, in percent\n")
    print("| | weight | top-1 | top-5 | mean class |")
    print("|---|---|---|---|---|")
    for i, (path, score) in enumerate(zip(args.files, scores)):
        weight = "" if args.weights is None else f"{args.weights[i]:g}"
        print_row(path, weight, score, labels)
    if fused is not None:
        print_row("fused", format_weights(args.weights), fused, labels)
    if search is not None:
        print_row("fused, weights held out", "by fold", search.fused, labels)
        print_search(search, args.seed)
    if args.out is not None:
        print(f"\nwritten: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
