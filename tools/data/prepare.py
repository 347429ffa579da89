#!/usr/bin/env python
"""Turn the original files of a data set into one annotation file.

Example: ``python tools/data/prepare.py utd_mhad Skeleton.zip data/utd_mhad.pkl``
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.utils import ProgressBar

from gap_mmaction.datasets.readers import CLIP_SETS
from gap_mmaction.datasets.readers.clip_set import ClipSet
from gap_mmaction.datasets.source import Source
from gap_mmaction.utils.command_line import tells_errors
from gap_mmaction.utils.restricted_pickle import write_annotations

PROGRESS_STEPS = 50  # not one for each file, which floods a log


def parse_args(
    argv: Sequence[str] | None = None, data: str | None = None
) -> argparse.Namespace:
    """Parses the command line; ``data`` is set where the command is for one set."""
    parser = argparse.ArgumentParser(
        description="Turn the original files of a data set into one annotation file."
    )
    if data is None:
        names = ", ".join(CLIP_SETS)
        parser.add_argument("data", choices=CLIP_SETS, metavar="SET", help=names)
    parser.set_defaults(data=data)
    what = "the original files: a zip or tar archive, or the folder it unpacks to"
    parser.add_argument("source", type=Path, help=what)
    out = "file to write, for example data/utd_mhad.pkl"
    parser.add_argument("out", type=Path, help=out)
    args = parser.parse_args(argv)
    if args.out.suffix != ".pkl":
        # PoseDataset reads no other suffix; better said now than in training.
        parser.error(f"out must end in .pkl, got '{args.out}'")
    return args


def with_progress(source: Source) -> Iterator[tuple[str, bytes]]:
    """Reads the files of a source and shows how far it is."""
    progress = ProgressBar(len(source), file=sys.stdout)
    step = max(1, len(source) // PROGRESS_STEPS)
    for number, file in enumerate(source, start=1):
        yield file
        if number % step == 0 or number == len(source):
            progress.update(number - progress.completed)
    print()


def summarise(annotations: dict[str, Any], clip_set: ClipSet) -> str:
    """Counts clips by split and class: a line for each class and for each fold."""
    splits = {name: set(names) for name, names in annotations["split"].items()}
    shown = [name for name in splits if name.endswith(("_train", "_val"))]
    counts = Counter(
        (split, item["label"])
        for item in annotations["annotations"]
        for split in shown
        if item["frame_dir"] in splits[split]
    )
    wide = max(len("action"), *map(len, clip_set.classes))
    lines = [f"{'class':>5}  {'action':>{wide}}" + "".join(f"{s:>13}" for s in shown)]
    for label, action in enumerate(clip_set.classes):
        cells = "".join(f"{counts[(split, label)]:>13,}" for split in shown)
        lines.append(f"{label:>5}  {action:>{wide}}{cells}")
    totals = "".join(f"{len(splits[split]):>13,}" for split in shown)
    lines.append(f"{'all':>5}  {'':>{wide}}{totals}")
    for fold in clip_set.folds:
        parts = [f"{fold}_{part}" for part in ("train", "fit", "dev")]
        train, fit, dev = (f"{part} {len(splits[part]):,}" for part in parts)
        lines.append(f"{train} = {fit} + {dev}")
    return "\n".join(lines)


@tells_errors
def main(argv: Sequence[str] | None = None, data: str | None = None) -> int:
    """Runs the tool and returns its exit status: 0, or 1 where the source is broken."""
    args = parse_args(argv, data)
    clip_set = CLIP_SETS[args.data]
    source = Source(args.source, clip_set.files)
    annotations, notes = clip_set.make_annotations(with_progress(source))
    if not annotations["annotations"]:
        raise ValueError(f"{args.source}: no clip is left: {'; '.join(notes)}")
    write_annotations(annotations, args.out)
    print(*notes, summarise(annotations, clip_set), sep="\n")
    clips = len(annotations["annotations"])
    if clips != clip_set.size:
        full = f"the full data set has {clip_set.size:,} clips"
        print(f"warning: {full}, this source has {clips:,}", file=sys.stderr)
    print(f"written: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
