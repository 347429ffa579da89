"""Time and memory of two functions, measured side by side."""

from __future__ import annotations

import ctypes
import gc
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` has measured.

    Attributes:
        ours_ms: Milliseconds of ours, one for each pair.
        other_ms: Those of the other.
        ours_mb: Peak memory of ours over what was there before, in MB; ``None`` where
            it cannot be measured.
        other_mb: That of the other.
    """

    ours_ms: list[float]
    other_ms: list[float]
    ours_mb: float | None
    other_mb: float | None

    @property
    def ratios(self) -> list[float]:
        """How many times faster ours is, for each pair."""
        return [other / ours for ours, other in zip(self.ours_ms, self.other_ms)]

    def summary(self) -> dict[str, float | None]:
        """Give the medians, the ratio's spread (quartiles), and the memory."""
        low, ratio, high = statistics.quantiles(self.ratios, n=4, method="inclusive")
        memory = None
        if self.ours_mb is not None and self.other_mb:
            memory = self.ours_mb / self.other_mb
        return dict(
            ours_ms=statistics.median(self.ours_ms),
            other_ms=statistics.median(self.other_ms),
            ratio=ratio,
            ratio_low=low,
            ratio_high=high,
            ours_mb=self.ours_mb,
            other_mb=self.other_mb,
            memory_ratio=memory,
        )


def compare(
    ours: Work, other: Work, pairs: int, device: torch.device, warm_up: int = 1
) -> Comparison:
    """Run two functions in turns, so that what disturbs one disturbs the other too.

    Args:
        ours: The one function.
        other: The other.
        pairs: How many times each is timed, 2 or more.
        device: Where they compute. On a CPU the time is that which the process has had
            a processor for, on CUDA it is taken by events.
        warm_up: How many times each runs before.

    Returns:
        Times and memory.
    """
    for _ in range(warm_up):
        ours()
        other()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        times[0].append(milliseconds(ours, device))
        times[1].append(milliseconds(other, device))
    return Comparison(
        *times,
        ours_mb=peak_memory(ours, device),
        other_mb=peak_memory(other, device),
    )


def milliseconds(work: Work, device: torch.device) -> float:
    """Time a function once."""
    if device.type == "cuda":
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize(device)
        start.record()
        work()
        end.record()
        torch.cuda.synchronize(device)
        return start.elapsed_time(end)
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e3


def peak_memory(work: Work, device: torch.device) -> float | None:
    """Give the largest amount of memory that a function adds, in MB (10^6 bytes).

    On a CPU this is the resident memory of the process, on Linux only; ``None``
    elsewhere.
    """
    gc.collect()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = float(torch.cuda.memory_allocated(device))
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    if not sys.platform.startswith("linux"):
        return None
    try:
        # What the C library keeps for later would hide what is asked for.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    except (OSError, AttributeError):
        return None
    before = _status("VmRSS")
    work()
    return (_status("VmHWM") - before) / 1e6


def _status(key: str) -> float:
    """Read an entry of the process's status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return 1024.0 * int(line.split()[1])
    raise ValueError(f"/proc/self/status has no {key}")
