"""How well classes are named that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .seen_unseen import (
    choose_factor,
    choose_threshold,
    expert_probabilities,
    fit_temperature,
    gate,
    seen_unseen_area,
)


@dataclass(frozen=True)
class Generalised:
    """Top-1 where seen and unseen classes compete, as fractions of each one's clips."""

    seen: float
    unseen: float

    @property
    def harmonic(self) -> float:
        """The harmonic mean of both, 0 if one of them is."""
        total = self.seen + self.unseen
        return 2 * self.seen * self.unseen / total if total else 0.0

    def to_dict(self) -> dict[str, float]:
        """Returns all three by name, in percent."""
        names = ("seen", "unseen", "harmonic")
        return {name: 100 * getattr(self, name) for name in names}


@dataclass(frozen=True)
class ZeroShotResult:
    """What scores of all classes say about the clips of a test, as fractions.

    Where all classes compete, something may be done against the lead of the seen ones:
    ``none``; ``constant``, calibrated stacking; ``temperature``, a distribution for
    each kind of class; ``gate``, by the confidence in the seen classes.
    """

    unseen: float  # top-1 of unseen classes' clips among the unseen classes: zero-shot
    unseen_mean_class: float  # the same, each class counting alike
    unseen_by_class: tuple[float, ...]  # nan for a class without clips
    seen: float  # top-1 of seen classes' clips among the seen classes
    generalised: dict[str, Generalised]
    fitted: dict[str, float]  # the factor, temperature and threshold
    area: float  # under the curve of seen against unseen accuracy over all factors
    num_unseen: int  # clips of unseen classes
    num_seen: int
    largest: float  # share of the most frequent unseen class

    def to_dict(self) -> dict[str, Any]:
        """Returns everything as JSON has it, accuracies in percent."""
        return {
            "unseen": 100 * self.unseen,
            "unseen_mean_class": 100 * self.unseen_mean_class,
            "unseen_by_class": [
                None if np.isnan(value) else 100 * value
                for value in self.unseen_by_class
            ],
            "seen": 100 * self.seen,
            "generalised": {k: item.to_dict() for k, item in self.generalised.items()},
            "fitted": self.fitted,
            "area": 100 * self.area,
            "clips_unseen": self.num_unseen,
            "clips_seen": self.num_seen,
            "largest_unseen_class": 100 * self.largest,
        }


def evaluate_zero_shot(
    scores: np.ndarray,
    labels: np.ndarray,
    is_seen: np.ndarray,
    held_out: tuple[np.ndarray, np.ndarray],
    max_loss: float = 0.1,
) -> ZeroShotResult:
    """Computes how well clips of seen and unseen classes are named.

    Args:
        scores: ``[N, C]`` for all classes, the higher the likelier.
        labels: ``[N]``, their classes.
        is_seen: ``[C]``, whether a class was trained on.
        held_out: Scores and labels of clips of seen classes that were not trained on,
            by which all that is to be chosen is chosen.
        max_loss: See :func:`.seen_unseen.choose_factor`.

    Raises:
        ValueError: If scores are not finite, or clips of one kind are missing.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(scores).all():
        raise ValueError("the scores are not finite; so are the model's weights")
    of_seen = is_seen[labels]
    if of_seen.all() or not of_seen.any():
        kind = "unseen" if of_seen.all() else "seen"
        raise ValueError(f"of the {len(labels)} clips none is of a {kind} class")
    factor = choose_factor(*held_out, is_seen, max_loss)
    temperature = fit_temperature(*held_out, is_seen)
    threshold = choose_threshold(*held_out, is_seen, temperature)
    ways = {
        "none": scores,
        "constant": scores - factor * is_seen,
        "temperature": expert_probabilities(scores, is_seen, temperature),
        "gate": gate(scores, is_seen, temperature, threshold),
    }
    generalised = {}
    for way, found in ways.items():
        named = found.argmax(axis=1) == labels
        shares = (float(named[clips].mean()) for clips in (of_seen, ~of_seen))
        generalised[way] = Generalised(*shares)
    # Among the classes of a clip's own kind.
    own = np.where(is_seen == of_seen[:, None], scores, -np.inf)
    right = own.argmax(axis=1) == labels
    counts, hits = (
        np.bincount(labels[clips], minlength=len(is_seen))[~is_seen]
        for clips in (~of_seen, ~of_seen & right)
    )
    with np.errstate(invalid="ignore"):
        by_class = hits / counts
    return ZeroShotResult(
        unseen=float(right[~of_seen].mean()),
        unseen_mean_class=float(np.nanmean(by_class)),
        unseen_by_class=tuple(by_class.tolist()),
        seen=float(right[of_seen].mean()),
        generalised=generalised,
        fitted={"factor": factor, "temperature": temperature, "threshold": threshold},
        area=seen_unseen_area(scores, labels, is_seen),
        num_unseen=int((~of_seen).sum()),
        num_seen=int(of_seen.sum()),
        largest=float(counts.max() / counts.sum()),
    )


def combine_slots(
    cosines: np.ndarray, weights: Sequence[float] | None = None
) -> np.ndarray:
    r"""Computes the weighted mean of the slots' cosines, ``[N, C]``.

    The loss of GAP adds up :math:`\mathrm{softmax}(\cos / \tau)` over the slots, with
    one :math:`\tau` for all (paper, eq. 4). The product of these distributions,
    renormalized, is the softmax of the sum of the cosines: their mean decides as all
    slots together do, without a temperature to be chosen.

    The cosines are ``[N, K, C]``; weights, not negative, are alike by default.
    """
    slots = cosines.shape[1]
    given = np.ones(slots) if weights is None else np.asarray(weights, np.float64)
    if given.shape != (slots,):
        raise ValueError(f"{given.size} weights for {slots} slots: give one for each")
    if not (np.isfinite(given).all() and (given >= 0).all() and given.any()):
        raise ValueError(
            f"the weights {given.tolist()} must be 0 or more, and one of them above 0"
        )
    mean: np.ndarray = np.einsum("nkc,k->nc", cosines, given / given.sum())
    return mean
