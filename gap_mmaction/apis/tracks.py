"""Who is who between frames: persons of single frames become tracks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from gap_mmaction.datasets.annotation_check import to_numbers

from .input_format import InputFormat

_SPREAD = 0.1  # of the body's size, how far a joint moves in a frame at the most
_APART = 1e6  # no match


class Tracker:
    """Numbers the persons of one frame after the other, by where their joints are.

    A person and a track are alike by the mean over the joints found in both of
    ``exp(-d² / 2 s²)``, COCO's keypoint similarity, with s a tenth of the body's size,
    times the root of the frames since the track was seen. SciPy's assignment finds the
    best pairs of all.

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
        self._tracks = {
            number: (last, when)
            for number, (last, when) in self._tracks.items()
            if self._frame - when <= self.max_gap
        }
        numbers = np.full(len(persons), -1)
        known = list(self._tracks)
        alike = np.array(
            [
                [self._similarity(one, *self._tracks[k]) for k in known]
                for one in persons
            ]
        ).reshape(len(persons), len(known))
        # What is below the gate must not keep a pair above it apart.
        costs = np.where(alike < self.gate, _APART, 1 - alike)
        for row, column in zip(*linear_sum_assignment(costs)):
            if costs[row, column] < _APART:
                numbers[row] = known[column]
        for row in np.flatnonzero(numbers < 0):
            numbers[row], self._next = self._next, self._next + 1
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


def persons_of(poses: Any, form: InputFormat) -> tuple[np.ndarray, np.ndarray]:
    """Returns those who are in a frame, with confidences, and who is there ``[M]``.

    Args:
        poses: ``[M, V, C]`` or ``[V, C]`` as a config wants them, perhaps with a column
            more, the confidence. What is not finite was not found.
        form: What the config wants.

    Returns:
        ``[N, V, C + 1]``, N of them there, and ``[M]``.

    Raises:
        ValueError: If joints or columns are other ones.
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
        ones = array.any(axis=2, keepdims=True).astype(np.float32)
        array = np.concatenate([array, ones], axis=2)
    lost: Any = ~np.isfinite(array).all(axis=2) | ~(array[..., -1] > 0)
    array = np.where(lost[..., None], np.float32(0), array)
    there: np.ndarray = ~lost.all(axis=1)
    return np.asarray(array[there]), there


def read_recording(poses: Any) -> tuple[np.ndarray, Any, Any]:
    """Returns ``[M, T, V, C]``, and times and the pictures' size if they are told.

    It is such an array, ``[T, V, C]`` or an annotation, whose confidences are a column
    more then. A ValueError says what is wrong.
    """
    times = shape = None
    if isinstance(poses, Mapping):
        times, shape = poses.get("times"), poses.get("img_shape")
        scores = poses.get("keypoint_score")
        poses = to_numbers(poses.get("keypoint", ()), "'keypoint'")
        if scores is not None:
            poses = np.concatenate([poses, np.asarray(scores)[..., None]], axis=-1)
    array = to_numbers(poses, "the array")
    array = array[None] if array.ndim == 3 else array
    if array.ndim != 4 or not array.shape[1]:
        raise ValueError(
            f"the recording has shape {list(array.shape)}; expected [T, V, C] or "
            "[M, T, V, C] with a frame at least"
        )
    return array, times, shape


def join_tracks(
    frames: Sequence[np.ndarray], numbers: Sequence[np.ndarray]
) -> np.ndarray:
    """Puts persons ``[M, V, C + 1]`` of each frame into ``[tracks, T, V, C + 1]``.

    What a track lacks is zero, its confidence too; the tracks are in the order of
    their first frames.
    """
    rows: dict[int, int] = {}
    for of_frame in numbers:
        for number in of_frame.tolist():
            rows.setdefault(number, len(rows))
    shape = next((f.shape[1:] for f in frames if len(f)), frames[0].shape[1:])
    joined = np.zeros((len(rows), len(frames), *shape), np.float32)
    for t, (persons, of_frame) in enumerate(zip(frames, numbers)):
        for number, one in zip(of_frame.tolist(), persons):
            joined[rows[number], t] = one
    return joined


def choose_persons(tracks: np.ndarray, count: int) -> np.ndarray:
    """Returns the ``count`` tracks ``[M, T, V, C + 1]`` that act, or fewer.

    One is the track of the most confidence in all. Of more they are the two that are
    nearest to one another while both are there, and then those of most confidence.
    """
    weights = tracks[..., -1].sum((1, 2))
    order = np.argsort(-weights, kind="stable")
    if count < 2 or len(tracks) <= count:
        return tracks[order[:count]]
    found = tracks[..., -1:] > 0
    with np.errstate(invalid="ignore"):
        centres = (tracks[..., :-1] * found).sum(2) / found.sum(2)  # nan where absent
        apart = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    together = np.isfinite(apart)
    times = together.sum(-1)
    mean = np.where(together, apart, 0).sum(-1) / np.maximum(times, 1)
    # Two who are together for a moment alone do not act together.
    mean[times < 0.5 * times[~np.eye(len(tracks), dtype=bool)].max()] = np.inf
    mean[np.arange(len(tracks)), np.arange(len(tracks))] = np.inf
    if not np.isfinite(mean).any():  # they are never there at the same time
        return tracks[order[:count]]
    pair = np.unravel_index(np.argmin(mean), mean.shape)
    first = sorted(pair, key=order.tolist().index)
    return tracks[[*first, *(k for k in order if k not in pair)][:count]]


def fill_gaps(
    track: np.ndarray, times: np.ndarray, at: np.ndarray, max_gap: float
) -> np.ndarray:
    """Resamples a track ``[T, V, C + 1]`` at other times, joint by joint.

    Joints without confidence are between, or beside, where they were found before and
    after; a joint that never was is where the mean of the others is. Frames farther
    than ``max_gap`` seconds from any with the person stay zero.
    """
    there = track[..., -1].any(axis=1)
    filled = np.zeros((len(at), *track.shape[1:]), np.float32)
    if not there.any():
        return filled
    for v in range(track.shape[1]):
        found = track[:, v, -1] > 0
        if found.any():
            for c in range(track.shape[2]):
                filled[:, v, c] = np.interp(at, times[found], track[found, v, c])
    lost = ~(track[..., -1] > 0).any(axis=0)
    filled[:, lost, :-1] = filled[:, ~lost, :-1].mean(axis=1, keepdims=True)
    seen = times[there]
    after = np.searchsorted(seen, at).clip(0, len(seen) - 1)
    before = (after - 1).clip(0)
    gap = np.minimum(np.abs(seen[after] - at), np.abs(at - seen[before]))
    filled[gap > max_gap] = 0
    return filled
