#!/usr/bin/env python
"""Turn the raw skeletons of NTU RGB+D into one annotation file.

Example: ``python tools/data/prepare_ntu.py --raw nturgbd_skeletons_s001_to_s017.zip
--out data/skeleton/ntu60_3d.pkl --skip-list missing.txt``
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mmengine.utils import ProgressBar

from gap_mmaction.datasets.ntu.annotations import (
    RULE_9,
    find_absent_classes,
    finish_annotation,
    lacks_second_actor,
)
from gap_mmaction.datasets.ntu.chunk import Chunk, make_chunks
from gap_mmaction.datasets.ntu.chunk_store import ChunkStore
from gap_mmaction.datasets.ntu.report import Report
from gap_mmaction.datasets.ntu.sample import PROTOCOLS
from gap_mmaction.datasets.ntu.sample_name import SampleName
from gap_mmaction.datasets.ntu.skip_list import read_skip_list
from gap_mmaction.datasets.ntu.source import SkeletonFile, list_files
from gap_mmaction.datasets.ntu.splits import (
    NUM_CLASSES,
    find_dataset,
    make_splits,
)
from gap_mmaction.datasets.ntu.streamed_list import StreamedList
from gap_mmaction.datasets.ntu.workers import convert_chunks

MOST_ERRORS = 20


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The arguments.
    """
    parser = argparse.ArgumentParser(
        description="Turn the raw skeletons of NTU RGB+D into one annotation file. "
        "A run that was interrupted goes on where it was when started again."
    )
    parser.add_argument(
        "--raw",
        nargs="+",
        type=Path,
        required=True,
        metavar="DIR",
        help="folders or zip archives with .skeleton files",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="file to write, ends in .pkl"
    )
    parser.add_argument(
        "--protocol",
        choices=PROTOCOLS,
        default="reference",
        help="reference: CTR-GCN's chain to the letter (default); clean: without its "
        "quirks (docs/ntu.md)",
    )
    parser.add_argument(
        "--dataset",
        choices=tuple(NUM_CLASSES),
        help="whose samples and splits; by default ntu60, or ntu120 if there is a "
        "sample that only it has",
    )
    parser.add_argument(
        "--skip-list",
        type=Path,
        metavar="FILE",
        help="samples to leave out, one name a line: the official list of missing "
        "skeletons",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=_count_cores(),
        metavar="N",
        help="number of processes (default: the cores of the machine)",
    )
    parser.add_argument(
        "--chunk-size",
        type=int,
        default=256,
        metavar="N",
        help="files for each intermediate result (default: 256)",
    )
    args = parser.parse_args(argv)
    if args.out.suffix != ".pkl":
        # PoseDataset reads no other suffix; better said now than in training.
        parser.error(f"--out must end in .pkl, got '{args.out}'")
    if args.out.is_dir():
        parser.error(f"--out is a folder: '{args.out}'; give the path of a file")
    parts = _folder_of_parts(args.out)
    if parts.exists() and not parts.is_dir():
        parser.error(
            f"'{parts}' is no folder, but the place for intermediate results; remove "
            "it or give another --out"
        )
    for name in ("workers", "chunk_size"):
        if getattr(args, name) < 1:
            option = name.replace("_", "-")
            parser.error(f"--{option} must be 1 or more, got {getattr(args, name)}")
    return args


def _folder_of_parts(out: Path) -> Path:
    return Path(f"{out}.parts")


def _count_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def select_files(args: argparse.Namespace) -> tuple[list[SkeletonFile], str]:
    """List the files of the wanted data set.

    Args:
        args: The command line's arguments.

    Returns:
        The files, sorted by name, and the name of the data set.

    Raises:
        OSError: If a source is not there or has no file of the data set.
        ValueError: If a source is broken or has files that do not belong there.
    """
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


def convert(chunks: list[Chunk], store: ChunkStore, num_workers: int) -> list[str]:
    """Convert what is not converted yet, with a progress bar.

    Args:
        chunks: All chunks.
        store: Where the results are.
        num_workers: Number of processes.

    Returns:
        Errors, one for each broken file.
    """
    waiting = [chunk for chunk in chunks if not store.has(chunk.index, chunk.key)]
    num_files = sum(len(chunk.files) for chunk in waiting)
    if len(waiting) < len(chunks):
        done = sum(len(chunk.files) for chunk in chunks) - num_files
        print(f"{done:,} files were converted by an earlier run, {num_files:,} to go")
    errors = []
    # A chunk may be empty, with all of its files on the skip list.
    progress = ProgressBar(num_files, file=sys.stdout) if num_files else None
    for chunk, found in convert_chunks(waiting, store, num_workers):
        errors += found
        if progress is not None:
            progress.update(len(chunk.files))
    print()
    return errors


def load_samples(chunks: list[Chunk], store: ChunkStore) -> Iterator[dict[str, Any]]:
    """Go through the results of all chunks, one of which is in memory at a time.

    Args:
        chunks: All chunks.
        store: Where the results are.

    Yields:
        ``name``, ``annotation`` and ``notes`` of each sample, sorted by name.

    Raises:
        ValueError: If a result cannot be read.
    """
    for chunk in chunks:
        try:
            samples = store.load(chunk.index, chunk.key)
        except pickle.UnpicklingError as error:
            raise ValueError(
                f"{error} Remove the folder '{store.folder}' and run this again."
            ) from error
        yield from samples


def collect(
    samples: Iterator[dict[str, Any]], dataset: str, protocol: str, report: Report
) -> list[str]:
    """Take down what there is to say of the samples.

    Args:
        samples: The samples.
        dataset: ``"ntu60"`` or ``"ntu120"``.
        protocol: ``"reference"`` or ``"clean"``.
        report: Takes the notes.

    Returns:
        The names of those that have an annotation.
    """
    names = []
    for sample in samples:
        for kind, reason in sample["notes"]:
            report.add(sample["name"], kind, reason)
        annotation = sample["annotation"]
        if annotation is None:
            continue
        names.append(sample["name"])
        if protocol == "clean" and lacks_second_actor(annotation, dataset):
            report.add(sample["name"], "changed", RULE_9)
    return names


def run(args: argparse.Namespace) -> None:
    """Do the work.

    Args:
        args: The command line's arguments.

    Raises:
        OSError: If a file cannot be read or written.
        RuntimeError: If a process was killed.
        ValueError: If files are broken or do not belong there.
    """
    files, dataset = select_files(args)
    report = Report()
    skipped: set[str] = set()
    if args.skip_list is not None:
        skipped, others = read_skip_list(args.skip_list)
        for other in others[:MOST_ERRORS]:
            _warn(f"{args.skip_list}, {other}: not the name of a sample, passed over")
        if len(others) > MOST_ERRORS:
            _warn(f"{args.skip_list}: {len(others) - MOST_ERRORS} more lines like that")
        for file in files:
            if file.name in skipped:
                report.add(file.name, "dropped", "on the skip list")
    chunks = make_chunks(files, skipped, args.protocol, args.chunk_size)
    store = ChunkStore(_folder_of_parts(args.out))
    errors = convert(chunks, store, args.workers)
    if errors:
        shown = sorted(errors)[:MOST_ERRORS]
        if len(errors) > MOST_ERRORS:
            shown.append(f"and {len(errors) - MOST_ERRORS} more")
        raise ValueError(
            f"{len(errors)} of {len(files):,} files are broken; nothing is written to "
            f"{args.out}, but the others need not be read again:\n" + "\n".join(shown)
        )
    names = collect(load_samples(chunks, store), dataset, args.protocol, report)
    if not names:
        raise ValueError(
            f"no sample is left of {len(files):,} files:\n{report.summarise()}"
        )
    splits = make_splits(names, dataset)
    annotations = (
        finish_annotation(sample["annotation"], dataset, args.protocol)
        for sample in load_samples(chunks, store)
        if sample["annotation"] is not None
    )
    store.publish({"split": splits, "annotations": StreamedList(annotations)}, args.out)
    report_path = args.out.with_suffix(".report.csv")
    report.write(report_path)
    store.remove()
    print(f"{dataset}, protocol {args.protocol}: {len(names):,} samples")
    for split, members in splits.items():
        print(f"  {len(members):>7,}  {split}")
    print(report.summarise())
    for warning in find_absent_classes(splits, dataset):
        _warn(f"{args.out}, {warning}")
    print(f"written: {args.out} and {report_path}")


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The exit status: 0, 1 where the source is missing or broken, 130 after Ctrl-C.
    """
    args = parse_args(argv)
    try:
        run(args)
    except (ValueError, OSError, RuntimeError) as error:
        # A full disk comes without the name of a file.
        is_bare = isinstance(error, OSError) and error.errno and not error.filename
        where = f"{args.out}: " if is_bare else ""
        print(f"\nerror: {where}{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\ninterrupted: run the same command again to go on from here",
            file=sys.stderr,
        )
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
