"""How fast prepare_ntu.py converts recordings, measured on made-up files.

Example: ``python -m tests.benchmarks.ntu --files 40``. With ``--write DIR`` the files
are written there instead, as input for a stress run of prepare_ntu.py itself.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from gap_mmaction.datasets.ntu import convert_skeleton
from tests.ntu_recordings import make_recording

REFERENCE_RATE = 260  # files/s of the reference's reader alone, on one core
TWO_BODY_SHARE = 5  # every fifth recording has two bodies, as in NTU RGB+D


def sample_names() -> Iterator[str]:
    """Names samples as NTU RGB+D 60 does, all classes first."""
    parts = itertools.product(range(1, 18), range(1, 41), (1, 2), (1, 2, 3))
    for setup, performer, replication, camera in parts:
        for action in range(1, 61):
            yield (
                f"S{setup:03d}C{camera:03d}P{performer:03d}"
                f"R{replication:03d}A{action:03d}"
            )


def write_files(folder: Path, num_files: int, num_frames: int) -> list[Path]:
    """Writes recordings; those of two bodies have half as many frames."""
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
    """Returns the processor seconds of the fastest round, reading included."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for path in paths:
            convert_skeleton(path.read_bytes(), path.stem)
        times.append(time.process_time() - start)
    return min(times)


def main(argv: Sequence[str] | None = None) -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=40, help="number of files")
    parser.add_argument(
        "--frames", type=int, default=34, help="of one body in each file (34: 90 KB)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="the best one counts")
    parser.add_argument("--write", type=Path, metavar="DIR", help="write files, stop")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(args.write or Path(folder), args.files, args.frames)
        if args.write is not None:
            print(f"written: {len(paths):,} files in {args.write}")
            return
        size = sum(path.stat().st_size for path in paths)
        seconds = measure(paths, args.rounds)
    rate = len(paths) / seconds
    print(
        f"{len(paths):,} files of {size / len(paths) / 1e3:.0f} kB: "
        f"{rate:,.0f} files/s and {size / seconds / 1e6:.0f} MB/s per core, "
        f"{rate / REFERENCE_RATE:.1f} times {REFERENCE_RATE} files/s"
    )


if __name__ == "__main__":
    main()
