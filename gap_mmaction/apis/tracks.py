"""Who is who between frames: persons of single frames become tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from gap_mmaction.datasets.annotation_check import to_numbers, to_scores

from .input_format import InputFormat

_SPREAD = 0.1  # of the body's size, how far a joint moves in a frame at the most
_APART = 1e6  # no match
LONGEST_GAP = 1.0  # seconds that a person may be gone and still be filled in


class Tracker:
    """Numbers the persons of one frame after the other, by where their joints are.

    A person and a track are alike by COCO's keypoint similarity, the mean over the
    joints found in both of ``exp(-d² / 2 s²)``; s is a tenth of the body's size, times
    the root of the frames since the track was seen. SciPy finds the best pairs of all.

    Args:
        gate: Pairs that are less alike than this are no pairs.
        max_gap: Frames after which a person who is gone is forgotten.
    """

    def __init__(self, gate: float = 0.2, max_gap: int = 30) -> None:
        self.gate, self.max_gap = gate, max_gap
        self._tracks: dict[int, tuple[np.ndarray, int]] = {}  # last seen how, and when
        self._frame = self._next = 0

    def update(self, persons: np.ndarray) -> np.ndarray:
        """Returns the numbers ``[M]`` of persons ``[M, V, C + 1]``.

        The last column is the confidence; a joint with none was not found.
        """
        self._frame += 1
        oldest = self._frame - self.max_gap
        self._tracks = {k: v for k, v in self._tracks.items() if v[1] >= oldest}
        known, tracks = list(self._tracks), self._tracks.values()
        alike = [self._similarity(one, *last) for one in persons for last in tracks]
        # What is below the gate must not keep a pair above it apart.
        costs = np.where(np.less(alike, self.gate), _APART, np.subtract(1, alike))
        costs = costs.reshape(len(persons), len(known))
        numbers = np.full(len(persons), -1)
        for row, column in zip(*linear_sum_assignment(costs)):
            if costs[row, column] < _APART:
                numbers[row] = known[column]
        new = np.flatnonzero(numbers < 0)
        numbers[new] = self._next + np.arange(len(new))
        self._next += len(new)
        for number, one in zip(numbers.tolist(), persons):
            self._tracks[number] = one, self._frame
        return numbers

    def _similarity(self, one: np.ndarray, last: np.ndarray, when: int) -> float:
        both = (one[:, -1] > 0) & (last[:, -1] > 0)
        if not both.any():
            return 0.0
        # The larger one, as few joints of one of them may have been found.
        found = (body[body[:, -1] > 0, :-1] for body in (one, last))
        size = max(float(np.linalg.norm(np.ptp(joints, axis=0))) for joints in found)
        spread = _SPREAD * max(size, 1e-6) * np.sqrt(self._frame - when)
        squares = np.square(one[both, :-1] - last[both, :-1]).sum(-1)
        return float(np.exp(-squares / (2 * spread**2)).mean())


def persons_of(poses: Any, form: InputFormat) -> np.ndarray:
    """Returns the persons of a frame with confidences, ``[M, V, C + 1]``.

    ``poses`` are ``[M, V, C]`` or ``[V, C]`` as a config's ``form`` wants them, perhaps
    with a column more, the confidence. What is not finite was not found, and zero; a
    ValueError says which other joints or columns they have.
    """
    array = np.asarray(poses, np.float32)
    array = array[None] if array.ndim == 2 else array
    joints, columns = form.skeleton.num_joints, form.num_coordinates
    wanted = [(joints, columns), (joints, columns + 1)]
    if array.ndim != 3 or array.shape[1:] not in wanted:
        raise ValueError(
            f"the poses of a frame have shape {list(np.shape(poses))}; expected "
            f"[M, {joints}, {columns}], or one column more, the confidence ({form}); "
            "Poses.to() converts layouts"
        )
    if array.shape[2] == columns:
        array = np.dstack([array, array.any(axis=2).astype(np.float32)])
    lost = ~np.isfinite(array).all(axis=2) | ~(array[..., -1] > 0)
    return np.where(lost[..., None], np.float32(0), array)


def read_recording(poses: Any) -> tuple[np.ndarray, Any, Any, bool]:
    """Returns ``[M, T, V, C]``, times and size of the pictures, and if M are tracks.

    Times and size are None where they are not told. It takes that, ``[T, V, C]`` or an
    annotation, whose confidences are a column more then. A ValueError says what is
    wrong.
    """
    times, shape, tracked = None, None, True
    if isinstance(poses, Mapping):
        times, shape = poses.get("times"), poses.get("img_shape")
        tracked = poses.get("is_tracked", True)
        scores = poses.get("keypoint_score")
        poses = to_numbers(poses.get("keypoint", ()), "'keypoint'")
        if scores is not None:
            scores = to_scores(scores, poses)
            poses = np.concatenate([poses, scores[..., None]], axis=-1)
    array = to_numbers(poses, "the array")
    array = array[None] if array.ndim == 3 else array
    if array.ndim != 4 or not array.shape[1]:
        raise ValueError(
            f"the recording has shape {list(array.shape)}; expected [T, V, C] or "
            "[M, T, V, C] with a frame at least"
        )
    return array, times, shape, tracked


def join_tracks(
    frames: Sequence[np.ndarray], numbers: Sequence[np.ndarray]
) -> np.ndarray:
    """Puts persons ``[M, V, C + 1]`` of each frame into ``[tracks, T, V, C + 1]``.

    What a track lacks is zero; the tracks are in the order of their first frames.
    """
    order = dict.fromkeys(np.concatenate(numbers).tolist())
    rows = {number: row for row, number in enumerate(order)}
    joined = np.zeros((len(rows), len(frames), *frames[0].shape[1:]), np.float32)
    for t, (persons, of_frame) in enumerate(zip(frames, numbers)):
        joined[[rows[number] for number in of_frame.tolist()], t] = persons
    return joined


def complete_tracks(
    tracks: np.ndarray, count: int | None, times: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """Returns the ``count`` persons who act ``[M, T', V, C + 1]``, or fewer, complete.

    By :func:`choose_persons`, two where a pipeline does not say how many, and
    :func:`fill_gaps` of a second at the most.
    """
    chosen = choose_persons(tracks, count or 2)
    return np.stack([fill_gaps(one, times, at, LONGEST_GAP) for one in chosen])


def choose_persons(tracks: np.ndarray, count: int) -> np.ndarray:
    """Returns the ``count`` tracks ``[M, T, V, C + 1]`` that act, or fewer.

    One is the track of the most confidence in all. Of more they are the two that are
    nearest to one another while both are there, and then those of most confidence.
    """
    order = np.argsort(-tracks[..., -1].sum((1, 2)), kind="stable")
    tracks = tracks[order]
    if count < 2 or len(tracks) <= count:
        return tracks[:count]
    found = tracks[..., -1:] > 0
    with np.errstate(invalid="ignore"):
        centres = (tracks[..., :-1] * found).sum(2) / found.sum(2)  # nan where absent
        apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    together = np.isfinite(apart)
    times = together.sum(-1)
    mean = np.where(together, apart, 0).sum(-1) / np.maximum(times, 1)
    alone = np.eye(len(tracks), dtype=bool)
    # Two who are together for a moment alone do not act together.
    mean[alone | (times < 0.5 * times[~alone].max())] = np.inf
    if np.isfinite(mean).any():  # or they are never there at the same time
        pair = np.unravel_index(np.argmin(mean), mean.shape)
        tracks = np.concatenate([tracks[sorted(pair)], np.delete(tracks, pair, axis=0)])
    return tracks[:count]


def fill_gaps(
    track: np.ndarray, times: np.ndarray, at: np.ndarray, max_gap: float
) -> np.ndarray:
    """Resamples a track ``[T, V, C + 1]`` at other times, joint by joint.

    Joints without confidence are between, or beside, where they were found before and
    after; a joint that never was is where the mean of the others is. Frames farther
    than ``max_gap`` seconds from any with the person stay zero.
    """
    filled = np.zeros((len(at), *track.shape[1:]), np.float32)
    found = track[..., -1] > 0
    if not found.any():
        return filled
    for v in np.flatnonzero(found.any(axis=0)):
        seen = found[:, v]
        for c in range(track.shape[2]):
            filled[:, v, c] = np.interp(at, times[seen], track[seen, v, c])
    lost = ~found.any(axis=0)
    filled[:, lost, :-1] = filled[:, ~lost, :-1].mean(axis=1, keepdims=True)
    gap = np.abs(at[:, None] - times[found.any(axis=1)]).min(axis=1)
    filled[gap > max_gap] = 0
    return filled
