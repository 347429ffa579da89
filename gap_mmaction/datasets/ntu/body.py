"""One tracked body of a recording."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Body:
    """The frames of one body id.

    Attributes:
        identity: The id, as the file writes it.
        joints: float32 ``[n, 25, 3]``, metres, in the order of the file.
        frames: int64 ``[n]``, the frame of each, ascending; frames without any body
            are not counted.
    """

    identity: str
    joints: npt.NDArray[np.float32]
    frames: npt.NDArray[np.int64]

    @property
    def start(self) -> int:
        """The first frame."""
        return int(self.frames[0])

    @property
    def has_gap(self) -> bool:
        """Whether the body leaves and comes back."""
        return int(self.frames[-1]) - self.start >= len(self.frames)

    @property
    def is_doubled(self) -> bool:
        """Whether a frame has the id twice."""
        return bool((self.frames[1:] == self.frames[:-1]).any())

    def closed_up(self) -> Body:
        """Take the frames to be contiguous from the first (rule 2 of the reference).

        Returns:
            The body with its later frames moved earlier.
        """
        frames = np.arange(self.start, self.start + len(self.frames), dtype=np.int64)
        return Body(self.identity, self.joints, frames)

    def without_doubles(self) -> Body:
        """Keep the first where a frame has the id twice.

        Returns:
            The body with each frame once.
        """
        frames, first = np.unique(self.frames, return_index=True)
        return Body(self.identity, self.joints[first], frames)
