"""ActionTimeline: when which action was done, of a stream or a recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.ndimage import uniform_filter1d
from scipy.special import logit
from torch import Tensor

from gap_mmaction.datasets.annotation_check import to_numbers
from gap_mmaction.evaluation.seen_unseen import choose_threshold, fit_temperature
from gap_mmaction.skeletons.layouts import find_test_pipeline
from gap_mmaction.utils.checkpoint_reader import read_checkpoint
from gap_mmaction.utils.files import parse_json

from .skeleton_inferencer import SkeletonInferencer
from .tracks import Tracker, choose_persons, fill_gaps, join_tracks

META_KEY = "unknown"  # of a published model
NONE = -1
"""The label of stretches in which no known action is done."""
SMOOTHINGS = ("viterbi", "mean", "none")
_FEWEST = 0.25  # share of a window's frames in which somebody has to be
_LONGEST_GAP = 1.0  # seconds that a person may be gone and still be filled in
_LEAST = 1e-12  # a probability
_MOST = 4.0  # logarithm of the odds


@dataclass(frozen=True)
class Segment:
    """A stretch of time and what is done in it."""

    start: float  # seconds
    end: float
    label: int  # NONE: none of the model's actions
    name: str
    score: float  # mean probability over the windows, of the label or of none


@dataclass(frozen=True)
class Unknown:
    """What tells that a window shows none of the model's actions.

    Attributes:
        temperature: By which the logarithms of the scores are divided, so that the
            score is a probability (Guo et al., ICML 2017).
        score: A window whose best score is below it is none of the actions, as far as
            scores tell; 0: never.
        similarity: So is one whose parts are less like the texts of the best class, in
            the mean of the cosines, as far as texts tell. Only models with a text
            branch have them; None: not looked at.
        spread: Standard deviation of the similarity of known actions.
    """

    temperature: float = 1.0
    score: float = 0.0
    similarity: float | None = None
    spread: float = 1.0

    @classmethod
    def fit(
        cls, windows: Sequence[Window], labels: np.ndarray, loss: float = 0.05
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
        quantile, spread = float(np.quantile(near, loss)), float(np.std(near))
        return cls(temperature, score, quantile, spread)

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


@dataclass(frozen=True)
class Window:
    """What the model says of the frames of a window."""

    start: float  # seconds
    end: float
    scores: np.ndarray  # [C], probabilities; zeros where nobody is there
    similarity: float | None = None  # mean cosine with the texts of the best class


class ActionTimeline:
    """Names actions in a stream of poses: when each begins and ends.

    A window of the last seconds goes through the model at every stride. The scores are
    smoothed over time, by the likeliest path of labels where each change costs
    something (Viterbi), or by their mean. What follows one another alike is a segment.

    Args:
        model: The model. Its config's test pipeline takes the frames of a window as
            those of a clip.
        window: Seconds that the model sees at once, those of a clip of training.
        stride: Seconds from a window to the next.
        rate: Frames a second that windows are resampled at, those of training.
        smoothing: ``"viterbi"``; ``"mean"``, of the windows that cover a time; or
            ``"none"``, the best class of each window.
        switch_cost: What a change of the label costs, in nats.
        lag: Seconds after which :meth:`update` no longer changes its mind.
        unknown: When a window shows none of the actions; by default never.
        score: The model's scoring of clips ``[B, clips, M, T, V, C]`` in other form,
            such as :func:`.deploy.exported_model.run_onnx` returns it.
        batch_size: Windows that :meth:`run` puts through the model together.
        img_shape: Height and width of the pictures that 2D joints were found in.

    Raises:
        ValueError: If a length of time is not positive, or there is no such smoothing.

    Examples:
        >>> timeline = ActionTimeline(SkeletonInferencer('nwucla'))
        >>> timeline.run(np.load('joints.npy'))  # [T, V, C]
        [Segment(start=0.0, end=2.6, label=4, name='walk around', score=0.81), ...]
        >>> for time, joints in camera:
        ...     for segment in timeline.update(joints, time):
        ...         print(segment)
    """

    def __init__(
        self,
        model: SkeletonInferencer,
        window: float = 2.0,
        stride: float = 0.25,
        rate: float = 30.0,
        smoothing: str = "viterbi",
        switch_cost: float = 6.0,
        lag: float = 4.0,
        unknown: Unknown | None = None,
        score: Callable[[Tensor], Tensor] | None = None,
        batch_size: int = 32,
        img_shape: tuple[int, int] | None = None,
    ) -> None:
        lengths = dict(window=window, stride=stride, rate=rate, lag=lag)
        for key, value in (lengths | dict(batch_size=batch_size)).items():
            if not value > 0:
                raise ValueError(f"{key}={value}, must be above 0")
        if smoothing not in SMOOTHINGS:
            raise ValueError(f"smoothing={smoothing!r}, use one of {list(SMOOTHINGS)}")
        if not switch_cost >= 0:
            raise ValueError(f"switch_cost={switch_cost}, must be 0 or more")
        self.model, self.score, self.batch_size = model, score, batch_size
        self.window, self.stride, self.rate = window, stride, rate
        self.smoothing, self.switch_cost = smoothing, switch_cost
        self.unknown = unknown or Unknown()
        self.img_shape = img_shape
        self._lag = max(1, round(lag / stride))
        steps = find_test_pipeline(model.config) or []
        counts = [step["num_person"] for step in steps if "num_person" in step]
        self._persons_wanted = counts[-1] if counts else 2  # as FormatGCNInput has it
        self.reset()

    def reset(self) -> None:
        """Forgets the stream: the next :meth:`update` begins a new one."""
        self._tracker = Tracker(max_gap=round(self.rate * _LONGEST_GAP))
        # The frames that coming windows need: times, persons, numbers of persons.
        self._frames: deque[tuple[float, np.ndarray, np.ndarray]] = deque()
        self._start = self._next = 0.0  # of the stream; the next window's end
        self._recent: list[Window] = []  # whose labels may change yet
        self._open: list[tuple[Window, int]] = []  # of the segment that goes on
        self._edge = 0.0  # where it began

    def update(self, poses: Any, time: float) -> list[Segment]:
        """Takes the poses of a frame; returns the segments that have ended for good.

        Args:
            poses: ``[M, V, C]`` or ``[V, C]`` of the model's layout, or ``[0, V, C]``
                where nobody is; a last column more is the confidence.
            time: Seconds, later than the last frame's.
        """
        persons, _ = self._persons(poses)
        windows = self._predict(list(self._push(persons, float(time))))
        ended: list[Segment] = []
        for window in windows:
            self._recent.append(window)
            if len(self._recent) > self._lag:
                ended += self._fix(self._recent[0], self._labels()[0])
                del self._recent[0]
        return ended

    def finish(self) -> list[Segment]:
        """Ends the stream; returns the segments that are left, and forgets it."""
        end = self._frames[-1][0] if self._frames else 0.0
        self._recent += self._predict(self._last())
        return self._end(end)

    @property
    def now(self) -> Segment | None:
        """What is being done, as it looks at present; None before the first window."""
        if not self._recent:
            return None
        window, label = self._recent[-1], self._labels()[-1]
        return self._segment([(window, label)], window.start, window.end)

    def run(
        self,
        poses: Any,
        times: np.ndarray | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[Segment]:
        """Returns the segments of a whole recording.

        Args:
            poses: An array ``[T, V, C]`` or ``[M, T, V, C]`` of the model's layout,
                with or without a column of confidences, or an annotation, as
                :meth:`.SkeletonInferencer.read` returns it: persons are tracks.
            times: Seconds of each frame ``[T]``; by default the annotation's, or
                ``rate`` frames a second.
            progress: Is told the number of frames that were read.
        """
        return self.smooth(self.windows(poses, times, progress))

    def windows(
        self,
        poses: Any,
        times: np.ndarray | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[Window]:
        """Returns what the model says of each window of a recording."""
        self.reset()
        array, told = self._read(poses)
        count = array.shape[1]
        times = told if times is None else times
        times = np.arange(count) / self.rate if times is None else np.asarray(times)
        if times.shape != (count,):
            raise ValueError(f"{list(times.shape)} times for {count} frames")
        waiting: list[Any] = []
        found: list[Window] = []
        for index, time in enumerate(times):
            persons, there = self._persons(array[:, index])
            waiting += self._push(persons, float(time), np.flatnonzero(there))
            if len(waiting) >= self.batch_size:
                found += self._predict(waiting)
                waiting = []
                if progress is not None:
                    progress(index + 1)
        found += self._predict([*waiting, *self._last()])
        if progress is not None:
            progress(count)
        return found

    def smooth(self, windows: Sequence[Window]) -> list[Segment]:
        """Returns the segments of a recording's windows, by all of them together."""
        self.reset()
        self._recent = list(windows)
        return self._end(windows[-1].end)

    def _end(self, end: float) -> list[Segment]:
        """Fixes the labels of all windows that are left; the recording ends there."""
        ended: list[Segment] = []
        for window, label in zip(self._recent, self._labels()):
            ended += self._fix(window, label)
        if self._open:
            ended.append(self._segment(self._open, self._edge, end))
        self.reset()
        return ended

    def _labels(self) -> list[int]:
        """Returns the labels of the recent windows, as they look at present."""
        if not self._recent:
            return []
        scores = np.stack([self.unknown.emission(window) for window in self._recent])
        if self.smoothing == "mean":
            size = max(1, round(self.window / self.stride))
            scores = uniform_filter1d(np.exp(scores), size, axis=0, mode="nearest")
        none = scores.shape[1] - 1
        if self.smoothing == "viterbi":
            before = self._open[-1][1] % (none + 1) if self._open else None
            labels = likeliest_path(scores, self.switch_cost, before)
        else:
            labels = scores.argmax(axis=1)
        return [NONE if label == none else label for label in labels.tolist()]

    def _fix(self, window: Window, label: int) -> list[Segment]:
        """Gives a window its label; returns the segment that ends before it, if any."""
        ended: list[Segment] = []
        if not self._open:
            self._edge = window.start
        elif label != self._open[-1][1]:
            # Between the middles of both windows.
            last = self._open[-1][0]
            edge = (last.start + last.end + window.start + window.end) / 4
            ended.append(self._segment(self._open, self._edge, edge))
            self._open, self._edge = [], edge
        self._open.append((window, label))
        return ended

    def _segment(
        self, held: Sequence[tuple[Window, int]], start: float, end: float
    ) -> Segment:
        label = held[0][1]
        all_of = [self.unknown.calibrate(window.scores) for window, _ in held]
        of_label = [1 - of.max() if label == NONE else of[label] for of in all_of]
        name = "none of these" if label == NONE else self.model.labels[label]
        return Segment(start, end, label, name, float(np.mean(of_label)))

    def _read(self, poses: Any) -> tuple[np.ndarray, Any]:
        """Returns ``[M, T, V, C]``, perhaps with confidences, and times if told."""
        times = None
        if isinstance(poses, Mapping):
            times, scores = poses.get("times"), poses.get("keypoint_score")
            poses = to_numbers(poses["keypoint"], "'keypoint'")
            if scores is not None:
                poses = np.concatenate([poses, np.asarray(scores)[..., None]], axis=-1)
        array = to_numbers(poses, "the array")
        array = array[None] if array.ndim == 3 else array
        if array.ndim != 4 or not array.shape[1]:
            raise ValueError(
                f"the recording has shape {list(array.shape)}; expected [T, V, C] or "
                "[M, T, V, C] with a frame at least"
            )
        return array, times

    def _persons(self, poses: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns the persons of a frame, with confidences, and who is there ``[M]``.

        They are ``[N, V, C + 1]``, N of them there.
        """
        array = np.asarray(poses, np.float32)
        array = array[None] if array.ndim == 2 else array
        form = self.model.format
        joints, columns = form.skeleton.num_joints, form.num_coordinates
        if array.ndim != 3 or array.shape[1] != joints or array.shape[2] - columns > 1:
            raise ValueError(
                f"the poses of a frame have shape {list(np.shape(poses))}; expected "
                f"[M, {joints}, {columns}], or one column more, the confidence "
                f"({form}); Poses.to() converts layouts"
            )
        if array.shape[2] == columns:
            ones = array.any(axis=2, keepdims=True).astype(np.float32)
            array = np.concatenate([array, ones], axis=2)
        lost: Any = ~np.isfinite(array).all(axis=2) | ~(array[..., -1] > 0)
        array = np.where(lost[..., None], np.float32(0), array)
        there: np.ndarray = ~lost.all(axis=1)
        return np.asarray(array[there]), there

    def _push(
        self, persons: np.ndarray, time: float, numbers: np.ndarray | None = None
    ) -> Iterator[Any]:
        """Takes a frame; gives the windows that are complete by it, prepared."""
        if not self._frames:
            self._start, self._next = time, time + self.window
        elif time <= self._frames[-1][0]:
            raise ValueError(
                f"a frame of {time:g} s follows one of {self._frames[-1][0]:g} s; put "
                "them into the order of time, each once, or call reset()"
            )
        if numbers is None:
            numbers = self._tracker.update(persons)
        self._frames.append((time, persons, numbers))
        while time >= self._next:
            yield self._prepare(self._next)
            self._next += self.stride
        while self._frames[0][0] < self._next - self.window - self.stride:
            self._frames.popleft()

    def _last(self) -> list[Any]:
        """Returns the window of the end, if there are frames that no window has had."""
        if not self._frames:
            return []
        end = self._frames[-1][0]
        is_first = self._next == self._start + self.window
        if is_first or end > self._next - self.stride:
            return [self._prepare(end)]
        return []

    def _prepare(self, end: float) -> tuple[float, float, Any]:
        """Returns a window's start, end, and what the model takes of it, or None."""
        begin = max(end - self.window, self._start)
        held = [item for item in self._frames if begin <= item[0] <= end]
        count = max(2, round((end - begin) * self.rate))
        with_persons = sum(bool(len(persons)) for _, persons, _ in held)
        if not with_persons or with_persons < _FEWEST * len(held):
            return begin, end, None
        times, persons, numbers = zip(*held)
        tracks = choose_persons(join_tracks(persons, numbers), self._persons_wanted)
        at = np.linspace(begin, end, count)
        filled = np.stack(
            [fill_gaps(track, np.array(times), at, _LONGEST_GAP) for track in tracks]
        )
        annotation: dict[str, Any] = {"keypoint": filled[..., :-1]}
        if self.model.format.has_score:
            annotation["keypoint_score"] = filled[..., -1]
        where = f"window until {end:g} s"
        sample = self.model.prepare(annotation, self.img_shape, where)
        return begin, end, sample

    @torch.no_grad()
    def _predict(self, prepared: Sequence[tuple[float, float, Any]]) -> list[Window]:
        """Returns what the model says of windows; zeros where nobody is there."""
        samples = [sample for _, _, sample in prepared if sample is not None]
        nobody = np.zeros(len(self.model.labels), np.float32)
        found: list[tuple[np.ndarray, float | None]] = []
        if samples and self.score is not None:
            clips = torch.stack([sample["inputs"].float() for sample in samples])
            found = [(scores, None) for scores in self.score(clips).numpy()]
        elif samples:
            with_texts = self.unknown.similarity is not None
            for result in self.model.predict(samples, with_texts):
                cosines = result.part_similarity
                near = None if cosines is None else cosines[:, result.label].mean()
                found.append((result.scores, None if near is None else float(near)))
        rest = iter(found)
        return [
            Window(start, end, *((nobody,) if sample is None else next(rest)))
            for start, end, sample in prepared
        ]


def likeliest_path(
    scores: np.ndarray, switch_cost: float, before: int | None = None
) -> np.ndarray:
    """Returns the labels ``[K]`` of the highest sum of ``scores`` ``[K, S]`` (Viterbi).

    Each change of the label costs ``switch_cost``; ``before`` is the label before the
    first.
    """
    best = scores[0].astype(np.float64)
    if before is not None:
        best = best - switch_cost * (np.arange(len(best)) != before)
    stays = np.arange(scores.shape[1])
    origins = np.empty(scores.shape, dtype=np.intp)
    for k, step in enumerate(scores[1:], start=1):
        changed = best.max() - switch_cost
        origins[k] = np.where(best >= changed, stays, best.argmax())
        best = np.maximum(best, changed) + step
    path = [int(best.argmax())]
    for k in range(len(scores) - 1, 0, -1):
        path.append(int(origins[k, path[-1]]))
    return np.array(path[::-1])


def find_unknown(
    checkpoint: str | PathLike[str], file: str | PathLike[str] | None = None
) -> Unknown | None:
    """Reads an :class:`Unknown` from JSON, or from the meta of a model's file.

    Returns None where the model's file has none.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If its content is wrong.
    """
    if file is None:
        content = (read_checkpoint(checkpoint).get("meta") or {}).get(META_KEY)
        if content is None:
            return None
    else:
        content = parse_json(Path(file).read_text("utf-8"))
    try:
        return Unknown(**{key: float(value) for key, value in content.items()})
    except (AttributeError, TypeError, ValueError) as error:
        keys = [field.name for field in fields(Unknown)]
        raise ValueError(
            f"{file or checkpoint}: {META_KEY!r} is wrong ({error}); expected numbers "
            f"by the names {keys}, as tools/analysis/timeline.py writes them"
        ) from error
