"""ActionTimeline: when which action was done, of a stream or a recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy.ndimage import uniform_filter1d
from torch import Tensor

from gap_mmaction.evaluation.segmentation import likeliest_path

from .skeleton_inferencer import SkeletonInferencer
from .tracks import (
    LONGEST_GAP,
    Tracker,
    complete_tracks,
    join_tracks,
    persons_of,
    read_recording,
)
from .unknown import Unknown, Window

NONE = -1
"""The label of stretches in which no known action is done."""
SMOOTHINGS = ("viterbi", "mean", "none")
_LONGEST_PAUSE = 3600.0  # seconds, of which each stride is a window
_FEWEST = 0.25  # share of a window's frames in which somebody has to be


@dataclass(frozen=True)
class Segment:
    """A stretch of time and what is done in it."""

    start: float  # seconds
    end: float
    label: int  # NONE: none of the model's actions
    name: str
    score: float  # mean probability over the windows, of the label or of none

    def __str__(self) -> str:
        return f"{self.start:8.2f} {self.end:8.2f}  {self.score:.2f}  {self.name}"


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
        switch_cost: What a change of the label costs: as much as this many nats in each
            window of a second.
        lag: Seconds after which :meth:`update` no longer changes its mind.
        unknown: When a window shows none of the actions; by default as the model's
            file says, never if it says nothing.
        score: The model's scoring of clips ``[B, clips, M, T, V, C]`` in other form,
            such as :func:`.deploy.exported_model.run_onnx` returns it.
        batch_size: Windows that :meth:`run` puts through the model together.
        img_shape: Height and width of the pictures that 2D joints were found in.

    Raises:
        ValueError: If a length of time is not positive, or there is no such smoothing.

    Examples:
        >>> timeline = ActionTimeline(SkeletonInferencer('nwucla'))
        >>> timeline.run(joints)  # [T, V, C]
        [Segment(start=0.0, end=2.6, label=3, name='walk around', score=0.81), ...]
    """

    def __init__(
        self,
        model: SkeletonInferencer,
        window: float = 2.0,
        stride: float = 0.25,
        rate: float = 30.0,
        smoothing: str = "viterbi",
        switch_cost: float = 1.0,
        lag: float = 4.0,
        unknown: Unknown | None = None,
        score: Callable[[Tensor], Tensor] | None = None,
        batch_size: int = 32,
        img_shape: tuple[int, int] | None = None,
    ) -> None:
        lengths = dict(window=window, stride=stride, rate=rate, lag=lag)
        for key, value in [*lengths.items(), ("batch_size", batch_size)]:
            if not value > 0:
                raise ValueError(f"{key}={value}, must be above 0")
        if smoothing not in SMOOTHINGS:
            raise ValueError(f"smoothing={smoothing!r}, use one of {list(SMOOTHINGS)}")
        if not switch_cost >= 0:
            raise ValueError(f"switch_cost={switch_cost}, must be 0 or more")
        self.model, self.score, self.batch_size = model, score, batch_size
        self.window, self.stride, self.rate = window, stride, rate
        self.smoothing, self.switch_cost = smoothing, switch_cost
        self.unknown = unknown or model.unknown or Unknown()
        self.img_shape = img_shape
        self._lag = max(1, round(lag / stride))
        self._size = max(1, round(window / stride))  # windows that a mean is taken of
        self.reset()

    def reset(self) -> None:
        """Forgets the stream: the next :meth:`update` begins a new one."""
        self._tracker = Tracker(max_gap=round(self.rate * LONGEST_GAP))
        # The frames that coming windows need: times, persons, numbers of persons.
        self._frames: deque[tuple[float, np.ndarray, np.ndarray]] = deque()
        self._start = self._next = 0.0  # of the stream; the next window's end
        self._recent: list[Window] = []  # whose labels may change yet
        self._fixed: deque[Window] = deque(maxlen=self._size)  # before them
        self._open: Segment | None = None  # the last one, of so many windows
        self._count = 0
        self._shape = self.img_shape

    def update(self, poses: Any, time: float) -> list[Segment]:
        """Takes the poses of a frame; returns the segments that have ended for good.

        Args:
            poses: ``[M, V, C]`` or ``[V, C]`` of the model's layout, or ``[0, V, C]``
                where nobody is; a last column more is the confidence.
            time: Seconds, later than the last frame's.
        """
        ended: list[Segment] = []
        for window in self._predict(list(self._push(poses, float(time)))):
            self._recent.append(window)
            if len(self._recent) > self._lag:
                ended += self._fix(self._recent[0], self._labels()[0])
                del self._recent[0]
        return ended

    def finish(self) -> list[Segment]:
        """Ends the stream; returns the segments that are left, and forgets it."""
        self._recent += self._predict(self._last())
        ended: list[Segment] = []
        for window, label in zip(self._recent, self._labels()):
            ended += self._fix(window, label)
        ended += [] if self._open is None else [self._open]
        self.reset()
        return ended

    @property
    def now(self) -> Segment | None:
        """What is being done, as it looks at present; None before the first window."""
        labels = self._labels()
        return self._segment(self._recent[-1], labels[-1]) if labels else None

    def run(
        self,
        poses: Any,
        times: np.ndarray | None = None,
        progress: Callable[[int], object] = lambda frames: None,
    ) -> list[Segment]:
        """Returns the segments of a whole recording.

        Args:
            poses: An array ``[T, V, C]`` or ``[M, T, V, C]`` of the model's layout,
                with or without a column of confidences, or an annotation, as
                :meth:`.SkeletonInferencer.read` returns it. Persons are tracks, but for
                mmpose's results.
            times: Seconds of each frame ``[T]``; by default the annotation's, or
                ``rate`` frames a second.
            progress: Is told the number of frames that were read.
        """
        return self.smooth(self.windows(poses, times, progress))

    def windows(
        self,
        poses: Any,
        times: np.ndarray | None = None,
        progress: Callable[[int], object] = lambda frames: None,
    ) -> list[Window]:
        """Returns what the model says of each window of a recording."""
        self.reset()
        array, told, shape, tracked = read_recording(poses)
        self._shape = shape or self.img_shape
        found: list[Window] = []
        waiting: list[Any] = []
        count = array.shape[1]
        times = told if times is None else times
        times = np.arange(count) / self.rate if times is None else np.asarray(times)
        if times.shape != (count,):
            raise ValueError(f"{list(times.shape)} times for {count} frames")
        for index, time in enumerate(times):
            waiting += self._push(array[:, index], float(time), tracked)
            if len(waiting) >= self.batch_size:
                found += self._predict(waiting)
                waiting = []
                progress(index + 1)
        found += self._predict([*waiting, *self._last()])
        progress(count)
        return found

    def smooth(self, windows: Sequence[Window]) -> list[Segment]:
        """Returns the segments of a recording's windows, by all of them together."""
        self.reset()
        self._recent = list(windows)
        return self.finish()

    def _labels(self) -> list[int]:
        """Returns the labels of the recent windows, as they look at present."""
        if not self._recent:
            return []
        fixed = self._fixed if self.smoothing == "mean" else ()
        windows = [*fixed, *self._recent]
        scores = np.stack([self.unknown.emission(window) for window in windows])
        if self.smoothing == "mean":
            scores = uniform_filter1d(np.exp(scores), self._size, 0, mode="nearest")
            scores = scores[len(fixed) :]
        none = scores.shape[1] - 1
        if self.smoothing == "viterbi":
            before = None if self._open is None else self._open.label % (none + 1)
            labels = likeliest_path(scores, self.switch_cost / self.stride, before)
        else:
            labels = scores.argmax(axis=1)
        return [NONE if label == none else label for label in labels.tolist()]

    def _fix(self, window: Window, label: int) -> list[Segment]:
        """Sets a window's label; returns the segment that ends before it, if any."""
        held, segment = self._open, self._segment(window, label)
        ended: list[Segment] = []
        if held is not None and held.label != label:
            # Between the middles of both windows.
            last = self._fixed[-1]
            edge = (last.start + last.end + window.start + window.end) / 4
            ended, segment = [replace(held, end=edge)], replace(segment, start=edge)
            self._count = 0
        elif held is not None:
            score = held.score + (segment.score - held.score) / (self._count + 1)
            segment = replace(segment, start=held.start, score=score)
        self._open, self._count = segment, self._count + 1
        self._fixed.append(window)
        return ended

    def _segment(self, window: Window, label: int) -> Segment:
        scores = self.unknown.calibrate(window.scores)
        score = float(1 - scores.max() if label == NONE else scores[label])
        name = "none of these" if label == NONE else self.model.labels[label]
        return Segment(window.start, window.end, label, name, score)

    def _push(self, poses: Any, time: float, are_tracks: bool = False) -> Iterator[Any]:
        """Takes a frame; gives the windows that are complete by it, prepared."""
        persons = persons_of(poses, self.model.format)
        there = persons[..., -1].any(axis=1)
        if not np.isfinite(time):
            raise ValueError(f"the time of a frame is {time}; expected seconds")
        last = self._frames[-1][0] if self._frames else None
        if last is None:
            self._start, self._next = time, time + self.window
        elif not last < time <= last + _LONGEST_PAUSE:
            raise ValueError(
                f"a frame of {time:g} s follows one of {last:g} s; put them into the "
                "order of time, each once, in seconds of one clock; after an hour "
                "without a frame, or for another stream, call finish() before"
            )
        numbers = np.flatnonzero(there)
        if not are_tracks:
            numbers = self._tracker.update(persons[there])
        self._frames.append((time, persons[there], numbers))
        while time >= self._next:
            yield self._prepare(self._next)
            self._next += self.stride
        while self._frames[0][0] < self._next - self.window - self.stride:
            self._frames.popleft()

    def _last(self) -> list[Any]:
        """Returns the window of the end, if there are frames that no window has had."""
        if not self._frames:
            return []
        end, is_first = self._frames[-1][0], self._next == self._start + self.window
        is_new = is_first or end > self._next - self.stride
        return [self._prepare(end)] if is_new else []

    def _prepare(self, end: float) -> tuple[float, float, Any]:
        """Returns a window's start, end, and what the model takes of it, or None."""
        begin = max(end - self.window, self._start)
        held = [item for item in self._frames if begin <= item[0] <= end]
        there = sum(len(persons) > 0 for _, persons, _ in held)
        if not there or there < _FEWEST * len(held):
            return begin, end, None
        told, persons, numbers = zip(*held)
        at = np.linspace(begin, end, max(2, round((end - begin) * self.rate)))
        tracks, count = join_tracks(persons, numbers), self.model.format.num_person
        filled = complete_tracks(tracks, count, np.array(told), at)
        annotation: dict[str, Any] = {"keypoint": filled[..., :-1]}
        if self.model.format.has_score:
            annotation["keypoint_score"] = filled[..., -1]
        where = f"window until {end:g} s"
        return begin, end, self.model.prepare(annotation, self._shape, where)

    @torch.no_grad()
    def _predict(self, prepared: Sequence[tuple[float, float, Any]]) -> list[Window]:
        """Returns what the model says of windows; zeros where nobody is there."""
        samples = [sample for _, _, sample in prepared if sample is not None]
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
        for scores, _ in found:
            self._check(scores)
        nobody, rest = (np.zeros(len(self.model.labels), np.float32),), iter(found)
        return [
            Window(start, end, *(nobody if sample is None else next(rest)))
            for start, end, sample in prepared
        ]

    def _check(self, scores: np.ndarray) -> None:
        """Raises a ValueError if the scores are no probabilities of the classes."""
        count, total = len(self.model.labels), scores.sum()
        if scores.shape != (count,) or scores.min() < 0 or not abs(total - 1) < 0.1:
            raise ValueError(
                f"the scores of a window have shape {list(scores.shape)} and the sum "
                f"{total:.3g}; a timeline takes probabilities of {count} classes "
                "(model.cls_head.average_clips='prob', in an export as well)"
            )
