"""How fast prepare_ntu.py converts recordings, measured on made-up files.

With ``--write DIR`` the files are written there, for a stress run of the tool itself.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gap_mmaction.datasets.ntu import convert_skeleton
from tests.ntu_recordings import make_recording

REFERENCE_RATE = 260  # files/s of the reference's reader alone, on one core


def write_files(folder: Path, num_files: int, num_frames: int) -> list[Path]:
    """Writes recordings, all classes first; each fifth has two bodies, as in NTU."""
    folder.mkdir(parents=True, exist_ok=True)
    rng, paths = np.random.default_rng(0), []
    ranges = (range(1, n + 1) for n in (17, 40, 2, 3, 60))
    samples = itertools.islice(itertools.product(*ranges), num_files)
    for i, (s, p, r, c, a) in enumerate(samples):
        bodies = 1 if i % 5 else 2
        path = folder / f"S{s:03d}C{c:03d}P{p:03d}R{r:03d}A{a:03d}.skeleton"
        path.write_bytes(make_recording(rng, -(-num_frames // bodies), bodies))
        paths.append(path)
    return paths


def main(argv: Sequence[str] | None = None) -> None:
    """Prints the rate of the fastest round in processor time, reading included."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--files", type=int, default=40, help="number of files")
    add("--frames", type=int, default=34, help="in each file (34: 90 KB)")
    add("--rounds", type=int, default=5, help="the best one counts")
    add("--write", type=Path, metavar="DIR", help="write files, stop")
    args = parser.parse_args(argv)
    if args.write is not None:
        write_files(args.write, args.files, args.frames)
        return
    times = []
    with tempfile.TemporaryDirectory() as folder:
        paths = write_files(Path(folder), args.files, args.frames)
        size = sum(path.stat().st_size for path in paths)
        for _ in range(args.rounds):
            start = time.process_time()
            for path in paths:
                convert_skeleton(path.read_bytes(), path.stem)
            times.append(time.process_time() - start)
    rate = len(paths) / min(times)
    print(
        f"{len(paths):,} files of {size / len(paths) / 1e3:.0f} kB: "
        f"{rate:,.0f} files/s and {size / min(times) / 1e6:.0f} MB/s per core, "
        f"{rate / REFERENCE_RATE:.1f} times {REFERENCE_RATE} files/s"
    )


if __name__ == "__main__":
    main()
