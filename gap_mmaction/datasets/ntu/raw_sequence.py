"""The content of one ``.skeleton`` file."""

from __future__ import annotations

from dataclasses import dataclass

from gap_mmaction.datasets.ntu.body import Body


@dataclass(frozen=True)
class RawSequence:
    """The bodies of a recording, frames without any body taken out (rule 1).

    Attributes:
        bodies: In the order in which they appear first.
        num_frames: Number of frames with at least one body.
        num_empty_frames: Number of frames without.
        num_extra_lines: Number of lines with text after the last frame.
    """

    bodies: list[Body]
    num_frames: int
    num_empty_frames: int
    num_extra_lines: int
