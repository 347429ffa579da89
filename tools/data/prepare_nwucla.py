#!/usr/bin/env python
"""Turn the NW-UCLA skeletons into one annotation file.

Example: ``python tools/data/prepare_nwucla.py all_sqe.zip data/nwucla.pkl``
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.utils import ProgressBar

from gap_mmaction.datasets.nwucla import (
    ACTION_IDS,
    list_sequences,
    make_annotations,
    read_sequences,
)
from gap_mmaction.utils.atomic_pickle import write_annotations

FULL_SIZE = {"xview_train": 1020, "xview_val": 464}
PROGRESS_STEPS = 50  # not one for each file, which floods a log


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The arguments.
    """
    parser = argparse.ArgumentParser(
        description="Turn the NW-UCLA skeletons into one annotation file."
    )
    parser.add_argument(
        "source", type=Path, help="all_sqe.zip, or the folder it unpacks to"
    )
    parser.add_argument(
        "out", type=Path, help="file to write, for example data/nwucla.pkl"
    )
    args = parser.parse_args(argv)
    if args.out.suffix != ".pkl":
        # PoseDataset reads no other suffix; better said now than in training.
        parser.error(f"out must end in .pkl, got '{args.out}'")
    return args


def summarise(annotations: dict[str, Any]) -> str:
    """Count sequences by split and class.

    Args:
        annotations: As ``make_annotations`` gives them.

    Returns:
        A table, one line for each class.
    """
    splits = annotations["split"]
    split_of = {name: key for key, names in splits.items() for name in names}
    counts = Counter(
        (split_of[item["frame_dir"]], item["label"])
        for item in annotations["annotations"]
    )
    lines = [f"{'class':>5}  {'action':>6}" + "".join(f"{s:>13}" for s in splits)]
    for label, action in enumerate(ACTION_IDS):
        cells = "".join(f"{counts[(split, label)]:>13,}" for split in splits)
        lines.append(f"{label:>5}  {f'a{action:02d}':>6}{cells}")
    totals = "".join(f"{len(names):>13,}" for names in splits.values())
    lines.append(f"{'all':>5}  {'':>6}{totals}")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The exit status: 0, or 1 where the source is missing or broken.
    """
    args = parse_args(argv)
    try:
        members = list_sequences(args.source)
        progress = ProgressBar(len(members), file=sys.stdout)
        step = max(1, len(members) // PROGRESS_STEPS)
        sequences = []
        for sequence in read_sequences(args.source, members):
            sequences.append(sequence)
            if len(sequences) % step == 0 or len(sequences) == len(members):
                progress.update(len(sequences) - progress.completed)
        print()
    except (ValueError, OSError) as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    annotations = make_annotations(sequences)
    write_annotations(annotations, args.out)
    print(summarise(annotations))
    for split, size in FULL_SIZE.items():
        if len(annotations["split"][split]) != size:
            print(
                f"warning: {split} of the full data set has {size:,} sequences, this "
                f"source has {len(annotations['split'][split]):,}",
                file=sys.stderr,
            )
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
