#!/usr/bin/env python
"""Apply PreNormalize3D to an annotation file once, instead of in every epoch.

The transform depends on nothing but the sequence. With the new file the same configs
train as before: FastPreNormalize3D sees that its work is done.

Example: ``python tools/data/pre_normalize.py ntu120_3d.pkl ntu120_3d_normalized.pkl``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.utils import track_iter_progress

from gap_mmaction.datasets.transforms import FastPreNormalize3D
from gap_mmaction.utils.command_line import tells_errors
from gap_mmaction.utils.restricted_pickle import load_annotations, write_annotations


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="annotation file of 3D skeletons")
    parser.add_argument("out", type=Path, help="annotation file to write")
    parser.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        default="float32",
        help="float64 for the pipeline's output to the last bit, in twice the space "
        "(default: float32)",
    )
    for what in ("spine", "shoulder", "center"):
        told = f"where the pipeline says align_{what}=False"
        parser.add_argument(f"--no-align-{what}", action="store_true", help=told)
    parser.add_argument("--layout", help="joint layout, if it is not that of NTU RGB+D")
    args = parser.parse_args(argv)
    if args.out.suffix != ".pkl":
        parser.error(f"out must end in .pkl, got '{args.out}'")
    return args


def annotations_of(content: Any, path: Path) -> list[dict[str, Any]]:
    """Finds the annotations in the content of a file."""
    found = content.get("annotations") if isinstance(content, dict) else content
    if not isinstance(found, list) or not all(
        isinstance(item, dict) and isinstance(item.get("keypoint"), np.ndarray)
        for item in found
    ):
        raise ValueError(
            f"{path}: holds no list of annotations with a 'keypoint' each; give a file "
            "as tools/data/prepare_ntu.py or mmaction2 has it"
        )
    for item in found:
        if item["keypoint"].ndim != 4 or item["keypoint"].shape[3] != 3:
            raise ValueError(
                f"{path}: '{item.get('frame_dir')}': keypoint has shape "
                f"{item['keypoint'].shape}, 3D skeletons have [M, T, V, 3]"
            )
    return found


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool and returns its exit status: 0, or 1 where the source is broken."""
    args = parse_args(argv)
    transform = FastPreNormalize3D(
        layout=args.layout,
        align_spine=not args.no_align_spine,
        align_shoulder=not args.no_align_shoulder,
        align_center=not args.no_align_center,
    )
    content = load_annotations(args.source)
    items = annotations_of(content, args.source)
    for item in track_iter_progress(items, file=sys.stdout):
        try:
            transform.transform(item)
        except ValueError as error:
            raise ValueError(f"{args.source}: {error}") from error
        item["keypoint"] = item["keypoint"].astype(args.dtype)
        item["pre_normalized"] = transform.settings()
    print()
    write_annotations(content, args.out)
    print(f"written: {args.out}, {len(items):,} sequences")
    return 0


if __name__ == "__main__":
    sys.exit(main())
