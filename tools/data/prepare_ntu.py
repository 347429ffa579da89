#!/usr/bin/env python
"""Turn the raw skeletons of NTU RGB+D into one annotation file.

Example: ``python tools/data/prepare_ntu.py --raw nturgbd_skeletons_s001_to_s017.zip
--out data/skeleton/ntu60_3d.pkl --skip-list missing.txt``
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mmengine.utils import ProgressBar

from gap_mmaction.datasets.ntu.conversion import (
    MOST_SHOWN,
    Chunk,
    SkeletonFile,
    StreamedList,
    convert_chunks,
    list_files,
    make_chunks,
    publish,
    refuse,
    remove_chunks,
    summarise,
    write_report,
)
from gap_mmaction.datasets.ntu.sample import (
    PROTOCOLS,
    RULE_9,
    finish_annotation,
    lacks_second_actor,
)
from gap_mmaction.datasets.ntu.splits import (
    NUM_CLASSES,
    SampleName,
    find_absent_classes,
    find_dataset,
    make_splits,
    read_skip_list,
)
from gap_mmaction.utils.command_line import tells_errors


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parses the command line; ``parts`` is the folder of intermediate results."""
    parser = argparse.ArgumentParser(
        description="Turn the raw skeletons of NTU RGB+D into one annotation file. "
        "A run that was interrupted goes on where it was when started again."
    )
    add = parser.add_argument
    raw = "folders or zip archives with .skeleton files"
    add("--raw", nargs="+", type=Path, required=True, metavar="DIR", help=raw)
    add("--out", type=Path, required=True, help="file to write, ends in .pkl")
    add(
        "--protocol",
        choices=PROTOCOLS,
        default="reference",
        help="reference: CTR-GCN's chain to the letter (default); clean: without its "
        "quirks (docs/ntu.md)",
    )
    add(
        "--dataset",
        choices=tuple(NUM_CLASSES),
        help="whose samples and splits; by default ntu60, or ntu120 if there is a "
        "sample that only it has",
    )
    add(
        "--skip-list",
        type=Path,
        metavar="FILE",
        help="samples to leave out, one name a line: the official list of missing "
        "skeletons",
    )
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    for option, default, what in (
        ("--workers", cores, "number of processes (default: the cores of the machine)"),
        ("--chunk-size", 256, "files for each intermediate result (default: 256)"),
    ):
        add(option, type=int, default=default, metavar="N", help=what)
    args = parser.parse_args(argv)
    args.parts = Path(f"{args.out}.parts")
    if args.out.suffix != ".pkl":
        # PoseDataset reads no other suffix; better said now than in training.
        parser.error(f"--out must end in .pkl, got '{args.out}'")
    if args.out.is_dir():
        parser.error(f"--out is a folder: '{args.out}'; give the path of a file")
    if args.parts.exists() and not args.parts.is_dir():
        parser.error(
            f"'{args.parts}' is no folder, but the place for intermediate results; "
            "remove it or give another --out"
        )
    for option in ("workers", "chunk-size"):
        value = getattr(args, option.replace("-", "_"))
        if value < 1:
            parser.error(f"--{option} must be 1 or more, got {value}")
    return args


def select_files(args: argparse.Namespace) -> tuple[list[SkeletonFile], str]:
    """Lists the files of the wanted data set, sorted by name, and names it."""
    files = list_files(args.raw)
    dataset = args.dataset or find_dataset(file.name for file in files)
    if dataset == "ntu60":
        wanted = [file for file in files if SampleName.parse(file.name).is_ntu60]
        if len(wanted) < len(files):
            print(f"{len(files) - len(wanted):,} files of NTU RGB+D 120 only: left out")
        files = wanted
    if not files:
        raise FileNotFoundError(
            f"{', '.join(map(str, args.raw))}: no sample of NTU RGB+D 60; leave "
            "--dataset out or give the archive s001_to_s017 as well"
        )
    return files, dataset


def read_skipped(path: Path) -> set[str]:
    """Reads the skip list and warns of its other lines."""
    skipped, others = read_skip_list(path)
    for other in others[:MOST_SHOWN]:
        _warn(f"{path}, {other}: not the name of a sample, passed over")
    if len(others) > MOST_SHOWN:
        _warn(f"{path}: {len(others) - MOST_SHOWN} more lines like that")
    return skipped


def convert(chunks: list[Chunk], num_workers: int) -> list[str]:
    """Converts what is not converted yet; returns errors of broken files."""
    waiting = [chunk for chunk in chunks if not chunk.path.is_file()]
    num_files = sum(len(chunk.files) for chunk in waiting)
    if len(waiting) < len(chunks):
        done = sum(len(chunk.files) for chunk in chunks) - num_files
        print(f"{done:,} files were converted by an earlier run, {num_files:,} to go")
    errors = []
    # A chunk may be empty, with all of its files on the skip list.
    progress = ProgressBar(num_files, file=sys.stdout) if num_files else None
    for chunk, found in convert_chunks(waiting, num_workers):
        errors += found
        if progress is not None:
            progress.update(len(chunk.files))
    print()
    return errors


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def run(args: argparse.Namespace) -> None:
    """Lists, converts and writes; the errors say what the user can do."""
    files, dataset = select_files(args)
    skipped = read_skipped(args.skip_list) if args.skip_list else set()
    chunks = make_chunks(files, skipped, args.protocol, args.chunk_size, args.parts)
    refuse(
        sorted(convert(chunks, args.workers)),
        f"of {len(files):,} files are broken; nothing is written to {args.out}, but "
        "the others need not be read again",
    )
    dropped = skipped.intersection(file.name for file in files)
    notes = [(name, "dropped", "on the skip list") for name in dropped]
    names = []
    for chunk in chunks:  # with one in memory at a time, here and below
        for sample in chunk.load():
            name, annotation = sample["name"], sample["annotation"]
            notes += [(name, kind, reason) for kind, reason in sample["notes"]]
            if annotation is not None:
                names.append(name)
                if args.protocol == "clean" and lacks_second_actor(annotation, dataset):
                    notes.append((name, "changed", RULE_9))
    if not names:
        raise ValueError(
            f"no sample is left of {len(files):,} files:\n{summarise(notes)}"
        )
    splits = make_splits(names, dataset)
    annotations = (
        finish_annotation(sample["annotation"], dataset, args.protocol)
        for chunk in chunks
        for sample in chunk.load()
        if sample["annotation"] is not None
    )
    content = {"split": splits, "annotations": StreamedList(annotations)}
    publish(content, args.out, args.parts)
    report_path = args.out.with_suffix(".report.csv")
    write_report(notes, report_path)
    remove_chunks(args.parts)
    print(f"{dataset}, protocol {args.protocol}: {len(names):,} samples")
    for split, members in splits.items():
        print(f"  {len(members):>7,}  {split}")
    print(summarise(notes))
    for warning in find_absent_classes(splits, dataset):
        _warn(f"{args.out}, {warning}")
    print(f"written: {args.out} and {report_path}")


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; exits with 1 where the source is broken, 130 after Ctrl-C."""
    args = parse_args(argv)
    try:
        run(args)
    except OSError as error:
        # A full disk comes without the name of a file.
        if error.errno and not error.filename:
            raise OSError(f"{args.out}: {error}") from error
        raise
    except KeyboardInterrupt:
        told = "\ninterrupted: run the same command again to go on from here"
        print(told, file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
