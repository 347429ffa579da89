#!/usr/bin/env python
"""Draw the global and part features of a test set with the texts of the classes.

Example:
    python tools/analysis/plot_features.py configs/gap/ctrgcn_nwucla_cpu.py best.pth \
        --out features.png
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.utils import ProgressBar

from gap_mmaction.apis import (
    ClipFeatures,
    SkeletonInferencer,
    compute_clip_features,
)
from gap_mmaction.evaluation.class_names import find_class
from gap_mmaction.utils.command_line import (
    add_cfg_options,
    count,
    natural,
    positive,
    read_config,
    tells_errors,
)
from gap_mmaction.utils.config_parts import annotated_data, did_you_mean
from gap_mmaction.utils.files import save_png
from gap_mmaction.visualization import feature_figure


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config", help="config of the model")
    add("checkpoint", help="checkpoint that kept its text branch")
    add("--out", type=Path, required=True, metavar="PNG")
    add("--ann-file", help="annotations (default: those of the config's test set)")
    add("--split", help="of the annotations (default: that of the config's test set)")
    methods = "t-SNE needs scikit-learn, UMAP umap-learn (default: %(default)s)"
    add("--method", choices=feature_figure.METHODS, default="tsne", help=methods)
    near = "of a point that count, t-SNE's perplexity (default: %(default)g)"
    add("--neighbours", type=positive, default=30.0, metavar="N", help=near)
    add("--seed", type=natural, default=0, help="of the layout (default: 0)")
    classes = "classes to draw, by name or index (default: all)"
    add("--classes", nargs="+", metavar="CLASS", help=classes)
    uncentred = "lay the features out as they are (docs/visualization.md)"
    add("--uncentred", action="store_true", help=uncentred)
    add("--title", help="what stands above")
    add("--batch-size", type=count, default=32, metavar="N", help="(default: 32)")
    add("--device", default="cpu", help="(default: %(default)s)")
    add_cfg_options(parser)
    args = parser.parse_args(argv)
    if args.out.suffix != ".png":
        parser.error(f"--out {args.out}: must end in .png")
    return args


def find_classes(names: Sequence[str], known: Sequence[str]) -> list[int]:
    """Finds classes by their name or index."""
    found: dict[int, None] = {}
    for name in names:
        index = find_class(name, known)
        if index is None:
            raise ValueError(
                f"--classes: no class {name!r}{did_you_mean(name, list(known))} among "
                f"the {len(known)} of the model"
            )
        found[index] = None
    return list(found)


def compute(args: argparse.Namespace) -> ClipFeatures:
    """Runs the model on the samples."""
    config = read_config(args.config, args.cfg_options)
    split, file = args.split, args.ann_file
    if file is None:
        dataset = annotated_data(config, "test_dataloader").settings
        file = dataset["ann_file"]
        split = dataset.get("split") if split is None else split
    inferencer = SkeletonInferencer(
        config, args.checkpoint, args.device, batch_size=args.batch_size
    )
    items = inferencer.read(file, file, split)
    for item in items:
        if item.get("label") is None:
            name = item["frame_dir"]
            raise ValueError(f"{file}: {name} has no label; its class has to be known")
    bar = ProgressBar(len(items), file=sys.stderr)
    clips = compute_clip_features(inferencer, items, file, progress=bar.update)
    print(file=sys.stderr)
    if args.classes is None:
        return clips
    chosen = find_classes(args.classes, clips.classes)
    return feature_figure.choose_classes(clips, chosen)


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool."""
    args = parse_args(argv)
    feature_figure.find_package(args.method)
    clips = compute(args)
    shown = clips if args.uncentred else feature_figure.centre(clips)
    layouts = []
    for slot in range(len(clips.parts)):
        both = (shown.features[:, slot], shown.class_features[:, slot])
        points = np.concatenate(both)
        layouts.append(
            feature_figure.embed(points, args.method, args.seed, args.neighbours)
        )
    number = f"{len(clips.labels):,} samples and the texts of their classes"
    title = args.title or f"{feature_figure.METHODS[args.method]} of {number}"
    save_png(feature_figure.draw_features(clips, layouts, title), args.out)
    print("| slot | nearest text is that of the class, % |")
    print("|---|--:|")
    for part, share in zip(clips.parts, feature_figure.nearest_text(clips)):
        print(f"| {part} | {100 * share:.2f} |")
    print(f"\nwritten: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
