"""The benchmarks, and which config trains which stream of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

SUFFIXES = {
    "joint": "",
    "bone": "_bone",
    "joint-motion": "_joint-motion",
    "bone-motion": "_bone-motion",
}
"""What a stream adds to the name of a benchmark's config."""


@dataclass(frozen=True)
class Benchmark:
    """A data set, a split, and the configs for them.

    Attributes:
        name: What ``tools/reproduce.py --data`` calls it.
        title: What tables call it.
        split: The split's title in the paper's tables.
        config: Name of the joint stream's config, without its suffix.
        paper: The benchmark of the paper that it is, another one's name for a recipe
            of its own.
        folds: Its official folds, of which each tests once; none for a single split.
    """

    name: str
    title: str
    split: str
    config: str
    paper: str
    folds: tuple[int, ...] = ()

    def config_file(self, folder: Path, stream: str) -> Path:
        """Find the config of a stream.

        Args:
            folder: ``configs/gap``.
            stream: ``joint``, ``bone``, ``joint-motion`` or ``bone-motion``.

        Returns:
            Its absolute path.

        Raises:
            FileNotFoundError: If it is not there.
        """
        path = (folder / f"{self.config}{SUFFIXES[stream]}.py").resolve()
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}: the config of benchmark '{self.name}', stream '{stream}', is "
                "not there; add it, or name another benchmark with --data"
            )
        return path


def _benchmark(
    name: str, title: str, split: str, config: str, paper: str | None = None
) -> Benchmark:
    return Benchmark(name, title, split, config, paper or name)


def _small(name: str, title: str, folds: int = 0) -> Benchmark:
    numbers = tuple(range(1, folds + 1))
    key = f"{name}-cpu"
    return Benchmark(key, title, "Top-1", f"ctrgcn_{name}_cpu", key, numbers)


BENCHMARKS = {
    benchmark.name: benchmark
    for benchmark in (
        _benchmark("nwucla", "NW-UCLA", "Top-1", "ctrgcn_nwucla"),
        _benchmark(
            "nwucla-cpu",
            "NW-UCLA, recipe for a CPU",
            "Top-1",
            "ctrgcn_nwucla_cpu",
            "nwucla",
        ),
        _benchmark("ntu60-xsub", "NTU RGB+D, X-Sub", "X-Sub", "ctrgcn_ntu60"),
        _benchmark("ntu60-xview", "NTU RGB+D, X-View", "X-View", "ctrgcn_ntu60-xview"),
        _benchmark("ntu120-xsub", "NTU RGB+D 120, X-Sub", "X-Sub", "ctrgcn_ntu120"),
        _benchmark(
            "ntu120-xset", "NTU RGB+D 120, X-Set", "X-Set", "ctrgcn_ntu120-xset"
        ),
        _small("utd_mhad", "UTD-MHAD"),
        _small("msr_action3d", "MSR-Action3D"),
        _small("utkinect", "UTKinect-Action3D", folds=5),
        _small("sbu_kinect", "SBU Kinect Interaction", folds=5),
        _small("jhmdb14", "JHMDB, 14 classes", folds=3),
    )
}
"""By name."""
