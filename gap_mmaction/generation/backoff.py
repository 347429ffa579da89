"""How long to wait before a question is put again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_DOUBLINGS = 30  # beyond any limit, and no overflow


@dataclass(frozen=True)
class Backoff:
    """Waits that double, each shortened at random by up to a half.

    Without the random part, requests that were refused together would come back
    together.

    Attributes:
        retries: How many times a question is put again.
        first: Seconds before the first time.
        longest: Seconds that no wait exceeds.
        seed: What the random part is drawn from.
    """

    retries: int = 6
    first: float = 1.0
    longest: float = 60.0
    seed: int = 0

    def waits(self, question: str) -> Iterator[float]:
        """Draw the waits.

        Args:
            question: What is asked; each question has a random sequence of its own,
                the same in every run.

        Yields:
            Seconds, ``retries`` times.
        """
        generator = random.Random(f"{self.seed} {question}")
        for attempt in range(self.retries):
            wait = self.first * 2 ** min(attempt, _MOST_DOUBLINGS)
            yield min(wait, self.longest) * (1 - generator.random() / 2)
