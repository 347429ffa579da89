#!/usr/bin/env python
r"""Draw the confusion matrix of test runs, and list the most frequent errors.

Examples:
    python tools/analysis/confusion_matrix.py scores.pkl --labels nwucla --out cm.png
    python tools/analysis/confusion_matrix.py seed0.pkl seed1.pkl --out cm.png \
        --texts configs/gap/ctrgcn_nwucla_cpu.py
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope

from gap_mmaction.apis.part_similarity import PartSimilarity
from gap_mmaction.evaluation.accuracy import (
    confusion_matrix,
    errors_by_rank,
    most_confused,
    rank_pairs,
)
from gap_mmaction.evaluation.class_names import load_class_names
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.models.text.text_branch import TextBranch
from gap_mmaction.utils.command_line import natural, read_config, tells_errors
from gap_mmaction.utils.files import save_png
from gap_mmaction.visualization.run_figures import draw_confusion


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result = "scores, as tools/test.py --dump wrote them; of several runs the sum"
    parser.add_argument("results", nargs="+", metavar="result", help=result)
    labels = "names of the classes: a description file, or the name of one that ships"
    parser.add_argument("--labels", metavar="DESCRIPTIONS", help=labels)
    texts = "a config with GAP: are the classes confused whose texts are alike?"
    parser.add_argument("--texts", metavar="CONFIG", help=texts)
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--title", help="what stands above the matrix")
    parser.add_argument("--top", type=natural, default=10, help="errors to list (10)")
    args = parser.parse_args(argv)
    if args.out.suffix != ".png":
        parser.error(f"--out {args.out}: must end in .png")
    return args


def rank_texts(config_path: str, names: Sequence[str]) -> np.ndarray:
    """Ranks the pairs of classes by the cosine of their texts, the mean of all slots.

    Returns ``[C, C]``, as :func:`rank_pairs`. What all classes have in common is taken
    off the features.
    """
    config = read_config(config_path)
    init_default_scope(config.default_scope)
    model = MODELS.build(config.model)
    if isinstance(branch := getattr(model, "text_branch", None), TextBranch):
        if branch.encoder is not None:  # to be tuned
            branch.encoder.init_weights()
        branch.compute_features()
    similarity = PartSimilarity(model)
    if len(similarity.labels) != len(names):
        raise ValueError(
            f"--texts {config_path}: texts of {len(similarity.labels)} classes, the "
            f"scores are of {len(names)}"
        )
    features = similarity.class_features()
    features = F.normalize(features - features.mean(0), dim=-1)
    return rank_pairs(torch.einsum("akd,bkd->ab", features, features).numpy())


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; returns 1 where the files do not fit."""
    args = parse_args(argv)
    results = [load_scores(path) for path in args.results]
    num_classes = results[0].scores.shape[1]
    names = load_class_names(args.labels, num_classes)
    matrix = np.zeros((num_classes, num_classes), int)
    for path, result in zip(args.results, results):
        if (others := result.scores.shape[1]) != num_classes:
            what = f"{others} classes, the first file of {num_classes}"
            raise ValueError(f"{path}: scores of {what}")
        matrix += confusion_matrix(result.predictions, result.labels, num_classes)
    right, total = int(np.trace(matrix)), int(matrix.sum())
    summary = f"{right:,} of {total:,} samples right, {100 * right / total:.2f} %"
    ranks = None if args.texts is None else rank_texts(args.texts, names)
    print(f"{summary}\n\n| true class | predicted | samples | % of the class |", end="")
    print("\n|---|---|--:|--:|" if ranks is None else " texts |\n|---|---|--:|--:|--:|")
    for row, column, samples in most_confused(matrix, args.top):
        share = 100 * samples / matrix[row].sum()
        cells = [names[row], names[column], f"{samples:,}", f"{share:.1f}"]
        cells += [] if ranks is None else [f"{ranks[row, column]:.0f}"]
        print(f"| {' | '.join(cells)} |")
    if ranks is not None and right < total:
        mean, p = errors_by_rank(matrix, ranks)
        print("\ntexts: how alike those of both are, 0 to 100, a rank among all pairs")
        print(f"mean of the errors: {mean:.0f}, by chance 50 (p {p:.2g})")
    title = summary if args.title is None else f"{args.title}\n{summary}"
    save_png(draw_confusion(matrix, names, title), args.out)
    print(f"\nwritten: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
