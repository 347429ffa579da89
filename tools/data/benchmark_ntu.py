#!/usr/bin/env python
"""Measure how fast prepare_ntu.py converts recordings, on made-up files.

Example: ``python tools/data/benchmark_ntu.py --files 40``. With ``--write DIR`` the
files are written there instead, as input for a stress run of prepare_ntu.py itself.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gap_mmaction.datasets.ntu.generated import make_recording
from gap_mmaction.datasets.ntu.sample import convert_skeleton

REFERENCE_RATE = 260  # files/s of the reference's reader alone, on one core
TWO_BODY_SHARE = 5  # every fifth recording has two bodies, as in NTU RGB+D


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The arguments.
    """
    parser = argparse.ArgumentParser(
        description="Measure how fast recordings are converted, on made-up files."
    )
    parser.add_argument(
        "--files", type=int, default=40, help="number of files (default: 40)"
    )
    parser.add_argument(
        "--frames",
        type=int,
        default=34,
        help="frames with one body in each file (default: 34, about 90 KB)",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="times over, the best counts (default: 5)"
    )
    parser.add_argument(
        "--write", type=Path, metavar="DIR", help="write the files there and stop"
    )
    args = parser.parse_args(argv)
    for name in ("files", "frames", "rounds"):
        if getattr(args, name) < 1:
            parser.error(f"--{name} must be 1 or more, got {getattr(args, name)}")
    return args


def sample_names() -> Iterator[str]:
    """Name samples as NTU RGB+D 60 does, all classes first.

    Yields:
        The names.
    """
    parts = itertools.product(range(1, 18), range(1, 41), (1, 2), (1, 2, 3))
    for setup, performer, replication, camera in parts:
        for action in range(1, 61):
            yield (
                f"S{setup:03d}C{camera:03d}P{performer:03d}"
                f"R{replication:03d}A{action:03d}"
            )


def write_files(folder: Path, num_files: int, num_frames: int) -> list[Path]:
    """Write made-up recordings.

    Args:
        folder: Where to; made if it is missing.
        num_files: Number of files.
        num_frames: Frames with one body; recordings of two have half as many.

    Returns:
        The paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    paths = []
    for i, name in enumerate(itertools.islice(sample_names(), num_files)):
        bodies = 2 if i % TWO_BODY_SHARE == 0 else 1
        path = folder / f"{name}.skeleton"
        path.write_bytes(make_recording(rng, -(-num_frames // bodies), bodies))
        paths.append(path)
    return paths


def measure(paths: Sequence[Path], rounds: int) -> float:
    """Convert files in this process.

    Args:
        paths: The files.
        rounds: Times over.

    Returns:
        Seconds of processor time of the fastest round, reading from disk included.
    """
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for path in paths:
            convert_skeleton(path.read_bytes(), path.stem)
        times.append(time.process_time() - start)
    return min(times)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The exit status, 0.
    """
    args = parse_args(argv)
    if args.write is not None:
        paths = write_files(args.write, args.files, args.frames)
        print(f"written: {len(paths):,} files in {args.write}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), args.files, args.frames)
        size = sum(path.stat().st_size for path in paths)
        seconds = measure(paths, args.rounds)
    rate = len(paths) / seconds
    print(
        f"{len(paths):,} files of {size / len(paths) / 1e3:.0f} kB: "
        f"{rate:,.0f} files/s and {size / seconds / 1e6:.0f} MB/s per core, "
        f"{rate / REFERENCE_RATE:.1f} times {REFERENCE_RATE} files/s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
