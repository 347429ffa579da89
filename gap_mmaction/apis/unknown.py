"""What tells that a window of a timeline shows none of a model's actions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

from gap_mmaction.evaluation.seen_unseen import choose_threshold, fit_temperature
from gap_mmaction.utils.files import parse_json

META_KEY = "unknown"  # of a published model
_LEAST = 1e-12  # a probability
_MOST = 4.0  # logarithm of the odds


@dataclass(frozen=True)
class Window:
    """What the model says of the frames of a window."""

    start: float  # seconds
    end: float
    scores: np.ndarray  # [C], probabilities; zeros where nobody is there
    similarity: float | None = None  # mean cosine with the texts of the best class


@dataclass(frozen=True)
class Unknown:
    """What tells that a window shows none of the model's actions.

    Attributes:
        temperature: By which the logarithms of the scores are divided, so that the
            score is a probability (Guo et al., ICML 2017).
        score: A window whose best score is below it is none of the actions, as far as
            scores tell; 0: never.
        similarity: So is one whose parts are less like the texts of the best class, in
            the mean of the cosines, as far as a text branch tells; None: not looked at.
        spread: Standard deviation of the similarity of known actions.
    """

    temperature: float = 1.0
    score: float = 0.0
    similarity: float | None = None
    spread: float = 1.0

    def __post_init__(self) -> None:
        finite = np.isfinite([self.temperature, self.spread, self.similarity or 0.0])
        if not (finite.all() and self.temperature > 0 and self.spread > 0):
            raise ValueError("temperature and spread must be above 0, all finite")
        if not 0 <= self.score < 1:
            raise ValueError(f"score is {self.score}, a probability from 0 to below 1")

    @classmethod
    def fit(
        cls, windows: Sequence[Window], labels: np.ndarray, loss: float = 0.2
    ) -> Unknown:
        """Chooses all by windows of clips of training, with their labels ``[N]``.

        The score's threshold is that of :func:`.choose_threshold`, to which a clip
        without its own class is one of no class; the similarity's leaves out the share
        ``loss`` of the windows.
        """
        logits = np.log(np.stack([window.scores for window in windows]).clip(_LEAST))
        known = np.ones(logits.shape[1], dtype=bool)
        # Below 1 it would make clips that the model has learned surer than others are.
        temperature = max(1.0, fit_temperature(logits, labels, known))
        score = choose_threshold(logits, labels, known, temperature)
        near = [w.similarity for w in windows if w.similarity is not None]
        if len(near) < len(windows):
            return cls(temperature, score)
        spread = max(float(np.std(near)), _LEAST)  # it is divided by
        return cls(temperature, score, float(np.quantile(near, loss)), spread)

    @classmethod
    def read(cls, content: Any, where: object) -> Unknown:
        """Takes what a model's file or a JSON file has of it.

        Raises:
            ValueError: If that is wrong.
        """
        try:
            # Models without a text branch have null for their similarity.
            given = {k: v for k, v in content.items() if (k, v) != ("similarity", None)}
            return cls(**{key: float(value) for key, value in given.items()})
        except (AttributeError, TypeError, ValueError) as error:
            raise ValueError(
                f"{where}: {META_KEY!r} is wrong ({error}); expected numbers by the "
                f"names {[*cls().__dict__]}, as tools/analysis/timeline.py writes them"
            ) from error

    @classmethod
    def read_file(cls, path: Path) -> Unknown:
        """Reads a JSON file; a ValueError says what is wrong."""
        try:
            content = parse_json(path.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: no JSON ({error})") from error
        return cls.read(content, path)

    def calibrate(self, scores: np.ndarray) -> np.ndarray:
        """Returns probabilities ``[..., C]`` of scores, by the temperature."""
        powers = scores.clip(_LEAST) ** (1 / self.temperature)
        return np.asarray(powers / powers.sum(-1, keepdims=True))

    def emission(self, window: Window) -> np.ndarray:
        """Returns logarithms of probabilities ``[C + 1]``, the last one of none.

        None is as likely as the best class at both thresholds. Beyond them its odds
        are those of the score, and e times as much for each ``spread``; neither says
        more than ``exp(4)`` to one.
        """
        if not window.scores.any():
            return np.append(np.full(len(window.scores), -_MOST), 0.0)
        logs = np.log(self.calibrate(window.scores))
        if self.score <= 0:
            return np.append(logs, np.log(_LEAST))
        best = float(logs.max())
        odds = logit(self.score) - (best - np.log(-np.expm1(min(best, -_LEAST))))
        none = best + np.clip(odds, -_MOST, _MOST)
        if self.similarity is not None and window.similarity is not None:
            below = (self.similarity - window.similarity) / self.spread
            none += np.clip(below, -_MOST, _MOST)
        return np.append(logs, none)
