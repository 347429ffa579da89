#!/usr/bin/env python
"""Draw the global and part features of a test set with the texts of the classes.

Example:
    python tools/analysis/plot_features.py configs/gap/ctrgcn_nwucla_cpu.py best.pth \
        --out features.png
"""

from __future__ import annotations

import argparse
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.utils import ProgressBar

from gap_mmaction.apis import SkeletonInferencer
from gap_mmaction.evaluation.class_names import find_class
from gap_mmaction.utils.atomic_file import save_png
from gap_mmaction.utils.command_line import count, natural, positive
from gap_mmaction.utils.config_keys import did_you_mean
from gap_mmaction.utils.config_options import add_cfg_options, read_config
from gap_mmaction.utils.loader_data import annotated_data
from gap_mmaction.visualization.embedding import METHODS, embed, find_package
from gap_mmaction.visualization.feature_figure import draw_features
from gap_mmaction.visualization.part_features import PartFeatures

TITLES = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
ERRORS = (ValueError, TypeError, OSError, KeyError, ImportError)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config of the model")
    parser.add_argument("checkpoint", help="checkpoint that kept its text branch")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument(
        "--ann-file", help="annotations (default: those of the config's test set)"
    )
    parser.add_argument(
        "--split", help="of the annotations (default: that of the config's test set)"
    )
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="tsne",
        help="t-SNE needs scikit-learn, UMAP umap-learn (default: %(default)s)",
    )
    parser.add_argument(
        "--neighbours",
        type=positive,
        default=30.0,
        metavar="N",
        help="of a point that count, t-SNE's perplexity (default: %(default)g)",
    )
    parser.add_argument(
        "--seed", type=natural, default=0, help="of the layout (default: 0)"
    )
    parser.add_argument(
        "--classes",
        nargs="+",
        metavar="CLASS",
        help="classes to draw, by name or index (default: all)",
    )
    parser.add_argument(
        "--uncentred",
        action="store_true",
        help="lay the features out as they are, texts further from skeletons "
        "(docs/visualization.md)",
    )
    parser.add_argument("--title", help="what stands above")
    parser.add_argument(
        "--batch-size", type=count, default=32, metavar="N", help="(default: 32)"
    )
    parser.add_argument("--device", default="cpu", help="(default: %(default)s)")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.out.suffix != ".png":
        parser.error(f"--out {args.out}: must end in .png")
    return args


def find_classes(names: Sequence[str], known: Sequence[str]) -> list[int]:
    """Find classes by their name or index.

    Raises:
        ValueError: If there is no such class.
    """
    found = []
    for name in names:
        index = find_class(name, known)
        if index is None:
            raise ValueError(
                f"--classes: no class {name!r}{did_you_mean(name, list(known))} among "
                f"the {len(known)} of the model"
            )
        found.append(index)
    return list(dict.fromkeys(found))


def compute(args: argparse.Namespace) -> PartFeatures:
    """Run the model on the samples."""
    config = read_config(args.config, args.cfg_options)
    split, file = args.split, args.ann_file
    if file is None:
        dataset = annotated_data(config, "test_dataloader").settings
        file = dataset["ann_file"]
        split = dataset.get("split") if split is None else split
    inferencer = SkeletonInferencer(
        config, args.checkpoint, args.device, batch_size=args.batch_size
    )
    annotations = inferencer.read(file, file, split)
    progress = ProgressBar(len(annotations), file=sys.stderr)
    features = PartFeatures.of(inferencer, annotations, file, progress.update)
    print(file=sys.stderr)
    if args.classes is None:
        return features
    return features.choose(find_classes(args.classes, features.class_names))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        The exit status: 0, or 1 where something cannot be read or a package is missing.
    """
    args = parse_args(argv)
    try:
        find_package(args.method)
        features = compute(args)
        shown = features if args.uncentred else features.centred()
        layouts = []
        for slot in range(len(features.parts)):
            points = np.concatenate([shown.skeletons[:, slot], shown.texts[:, slot]])
            layouts.append(embed(points, args.method, args.seed, args.neighbours))
    except (*ERRORS, pickle.UnpicklingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    number = len(features.labels)
    title = (
        f"{TITLES[args.method]} of {number:,} samples and the texts of their classes"
    )
    save_png(draw_features(features, layouts, args.title or title), args.out)
    print("| slot | nearest text is that of the class, % |")
    print("|---|--:|")
    for part, share in zip(features.parts, features.nearest_text()):
        print(f"| {part} | {100 * share:.2f} |")
    print(f"\nwritten: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
