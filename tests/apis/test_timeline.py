"""When which action is done: the likeliest path, unknown ones, whole recordings."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from gap_mmaction.apis import ActionTimeline, Segment, SkeletonInferencer, Unknown
from gap_mmaction.apis.input_format import InputFormat
from gap_mmaction.apis.input_reader import read_pose_results
from gap_mmaction.apis.timeline import NONE
from gap_mmaction.apis.unknown import Window
from gap_mmaction.deploy.publish import publish_model
from gap_mmaction.evaluation.segmentation import likeliest_path
from gap_mmaction.skeletons import get_skeleton
from tests.apis.small_model import make_run
from tests.visualization.clips import standing

BODY = standing(frames=1)[0, 0] - 2
TIMES = np.arange(400) / 20
ACTIONS = [(0, 0), (6, 2), (10, 1), (15, 0)]  # when each begins, and its label


class HeightModel:
    """Tells the action from the body's height: class k is 0.1 (k + 1) above BODY."""

    labels = ("low", "middle", "high")
    unknown = None

    def __init__(self, persons: int) -> None:
        self.format = InputFormat(get_skeleton("nw-ucla"), 3, False, False, persons)

    def prepare(self, annotation: Any, shape: Any, where: str) -> dict[str, Any]:
        height = self.format.complete(annotation, where)["keypoint"][0, ..., 1]
        above = np.median(height / (shape or [1])[0] - BODY[:, 1], axis=-1)
        share = [(np.rint(10 * above) == k + 1).mean() + 0.01 for k in range(3)]
        return {"inputs": torch.tensor(share) / sum(share)}

    def predict(self, samples: Any, parts: bool) -> list[Any]:
        found = [sample["inputs"].numpy() for sample in samples]
        return [SimpleNamespace(scores=s, part_similarity=None) for s in found]


def make_timeline(persons: int = 1, **options: Any) -> ActionTimeline:
    return ActionTimeline(cast(Any, HeightModel(persons)), **{"rate": 20, **options})


def perform(times: np.ndarray, actions: Any = ACTIONS) -> np.ndarray:
    """Makes ``[T, V, C]``; zeros, nobody, where the action is none."""
    begins, labels = np.transpose(actions)
    label = labels[np.searchsorted(begins, times, side="right") - 1][:, None, None]
    return np.where(label == NONE, 0, BODY + 0.1 * (label + 1) * [0, 1, 0])


JOINTS = perform(TIMES)


def check(found: list[Segment], end: float, actions: Any = ACTIONS) -> None:
    """The labels are right, the edges within half a window, nothing between them."""
    begins, labels = np.transpose(actions)
    assert [one.label for one in found] == labels.tolist()
    assert [one.start for one in found] == pytest.approx(begins.tolist(), abs=1)
    assert [one.end for one in found[:-1]] == [one.start for one in found[1:]]
    assert (found[0].start, found[-1].end) == pytest.approx((begins[0], end))
    assert all(one.end > one.start and 0.5 < one.score <= 1 for one in found)


@pytest.mark.parametrize("before", [None, 0, 2])
@pytest.mark.parametrize("cost", [0.0, 0.5, 2.0])
def test_likeliest_path(cost: float, before: int | None) -> None:
    start = [] if before is None else [before]
    for scores in np.random.default_rng(0).normal(size=(5, 5, 3)):
        sums = {}
        for path in itertools.product(range(3), repeat=5):
            changes = np.count_nonzero(np.diff([*start, *path]))
            sums[path] = scores[range(5), path].sum() - cost * changes
        best = max(sums, key=sums.__getitem__)
        assert tuple(likeliest_path(scores, cost, before)) == best
        assert cost or best == tuple(scores.argmax(axis=1))


def test_emission() -> None:
    for best, near, is_none in (
        *((0.59, None, True), (0.61, None, False), (0.61, 0.1, True)),
        *((0.61, 0.3, False), (0.999, 0.1, False), (0.0, None, True)),
    ):
        scores = np.array([best, 0.7 - 0.7 * best, 0.3 - 0.3 * best]) * (best > 0)
        window = Window(0, 2, scores, near)
        assert (Unknown(1, 0.6, 0.2, 0.05).emission(window).argmax() == 3) == is_none
        assert (Unknown().emission(window).argmax() == 3) == (not best)


@pytest.mark.parametrize("spread", [0.02, 0.0, None])
def test_fit(spread: float | None) -> None:
    rng, labels = np.random.default_rng(0), np.arange(200) % 4
    scores = np.exp(rng.normal(0, 0.5, (200, 4)) + 5 * np.eye(4)[labels])
    near = [None] * 200 if spread is None else rng.normal(0.5, spread, 200).tolist()
    windows = [Window(0, 2, s / s.sum(), n) for s, n in zip(scores, near)]
    windows.append(Window(0, 2, np.array([0.3, 0.3, 0.2, 0.2]), near[0] and 0.1))
    unknown = Unknown.fit(windows[:-1], labels)
    assert unknown.temperature >= 1 and (unknown.similarity is None) == (spread is None)
    found = np.array([unknown.emission(window).argmax() for window in windows])
    assert (found[:-1] == labels).mean() > 0.9 and found[-1] == 4


@pytest.mark.parametrize("smoothing", ["viterbi", "mean", "none"])
def test_stream_and_recording(smoothing: str) -> None:
    """Both are the same, with scores that are wrong for each seventh window."""
    number = itertools.count()
    told: list[int] = []
    timeline = make_timeline(smoothing=smoothing, lag=3, batch_size=5)
    timeline.score = lambda clips: torch.stack(
        [clip.roll(int(next(number) % 7 == 1)) for clip in clips]
    )
    found = timeline.run(JOINTS, progress=told.append)
    assert next(number) == 73  # windows: until 2 s, 2.25 s, ... 19.75 s, the end
    assert told == sorted(told) and told[-1] == 400 and len(told) > 5
    if smoothing != "none":
        check(found, TIMES[-1])
    number = itertools.count()
    ended = [s for x, t in zip(JOINTS, TIMES) for s in timeline.update(x, t)]
    assert timeline.now is not None and 0 < len(ended) < len(found)
    assert ended + timeline.finish() == found
    assert timeline.now is None and timeline.finish() == []


GONE, NOBODY = [(0, 1), (7, NONE), (13, 1)], [(0, NONE)]
UNEVEN = np.cumsum(np.random.default_rng(0).choice([1 / 60, 1 / 30, 0.1], size=400))
LOST = np.random.default_rng(0).random((400, 20, 1)) < 0.3
TOLD = {"keypoint": 720 * np.where(LOST, 9, JOINTS)[None], "img_shape": (720, 1280)}
TOLD |= {"keypoint_score": np.float32(~LOST[None, ..., 0]), "times": TIMES}
TWO = np.stack([np.add(JOINTS, [x, 0, 0]) for x in (9, 0, 0.5)])


@pytest.mark.parametrize(
    ("poses", "times", "actions"),
    [
        *((perform(TIMES, GONE), None, GONE), (perform(TIMES, NOBODY), None, NOBODY)),
        *((np.where(LOST, np.nan, JOINTS), None, ACTIONS), (TOLD, None, ACTIONS)),
        (perform(UNEVEN), UNEVEN, [(UNEVEN[0], 0), *ACTIONS[1:]]),
        *((TWO, None, ACTIONS), (JOINTS[:30], TIMES[:30], ACTIONS[:1])),
        (JOINTS[:2], TIMES[:2], ACTIONS[:1]),
    ],
)
def test_recordings(poses: Any, times: Any, actions: Any) -> None:
    found = make_timeline(persons=2).run(poses, times)
    check(found, (TIMES if times is None else times)[-1], actions)
    assert {one.name for one in found if one.label == NONE} <= {"none of these"}


def test_ten_people() -> None:
    """The one who is surest acts; the order is another one in each frame."""
    timeline, rng, ended, frames = make_timeline(), np.random.default_rng(0), [], []
    sure = np.append(np.full(9, 0.5), 1)[:, None, None] * np.ones((10, 20, 1))
    idle = [np.add(BODY, [3 * k, 0.2, 0]) for k in range(1, 10)]
    for joints, time in zip(JOINTS, TIMES):
        crowd = np.concatenate([[*idle, joints], sure], axis=2)
        crowd = rng.permutation(crowd)
        ended += timeline.update(crowd, time)
        # As mmpose has them.
        frames.append(dict(keypoints=crowd[..., :3], keypoint_scores=crowd[..., 3]))
    check(ended + timeline.finish(), TIMES[-1])
    check(timeline.run(read_pose_results(frames, "mine"), TIMES), TIMES[-1])


def test_scores_that_are_no_probabilities() -> None:
    timeline = make_timeline()
    for wrong in (torch.ones(1, 4) / 4, torch.ones(1, 3), torch.ones(1, 1, 3) / 3):
        timeline.score = lambda clips, wrong=wrong: torch.cat([wrong] * len(clips))
        with pytest.raises(ValueError, match=r"takes probabilities of 3 classes"):
            timeline.run(JOINTS)


@pytest.mark.parametrize(
    ("joints", "times", "options", "words"),
    [
        (JOINTS[:, :17], None, {}, r"expected \[M, 20, 3\].* converts layouts"),
        (JOINTS[..., :2], None, {}, r"have shape .*expected \[M, 20, 3\]"),
        (JOINTS, TIMES[::-1], {}, r"19.9 s follows one of 19.95 s.* order of time"),
        (JOINTS, np.floor(TIMES), {}, "0 s follows one of 0 s"),
        (JOINTS, np.full(400, np.nan), {}, "time of a frame is nan"),
        (JOINTS, np.append(TIMES[:-1], np.inf), {}, "time of a frame is inf"),
        (JOINTS, TIMES[1:], {}, r"\[399\] times for 400 frames"),
        (JOINTS[:0], None, {}, "with a frame at least"),
        (JOINTS, None, dict(stride=0), "stride=0, must be above 0"),
        (JOINTS, None, dict(smoothing="median"), "'median', use one of .*'viterbi'"),
    ],
)
def test_errors(joints: Any, times: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_timeline(**options).run(joints, times)


def test_what_is_kept_of_a_long_stream() -> None:
    timeline, kept = make_timeline(stride=0.5, lag=2), []
    for index in range(1200):
        timeline.update(JOINTS[0], index / 10)
        held = [x for x in vars(timeline).values() if hasattr(x, "__len__")]
        kept.append(sum(map(len, held)))
    assert max(kept[:600]) == max(kept[600:]) < 60


@pytest.mark.parametrize("similarity", [0.3, None])
def test_thresholds_are_kept_in_the_models_file(
    similarity: float | None, tmp_path: Path
) -> None:
    unknown, file = Unknown(1.5, 0.4, similarity, 0.1), tmp_path / "a.json"
    file.write_text(json.dumps(unknown.__dict__))
    assert Unknown.read_file(file) == unknown
    run = make_run(tmp_path)
    assert ActionTimeline(run.inferencer()).unknown == Unknown()
    published, _ = publish_model(
        run.checkpoint, tmp_path / "b.pth", keep_text=True, unknown=unknown
    )
    model = SkeletonInferencer(run.config, published)
    assert ActionTimeline(model).unknown == unknown
    # Without the texts they tell nothing.
    published, _ = publish_model(published, tmp_path / "c.safetensors")
    plain = SkeletonInferencer(run.config, published)
    assert ActionTimeline(plain).unknown == replace(unknown, similarity=None)
    assert ActionTimeline(model, unknown=Unknown()).unknown == Unknown()
    wrong = ("[1]", '{"a": 1}', '{"score": null}', '{"temperature": 0}')
    for content in (*wrong, '{"score": NaN}', '{"score": 90}', '{"similarity": NaN}'):
        file.write_text(content)
        with pytest.raises(ValueError, match=r"a\.json: 'unknown' is wrong .*'spread'"):
            Unknown.read_file(file)
    file.write_text("{")
    with pytest.raises(ValueError, match=r"a\.json: no JSON"):
        Unknown.read_file(file)


def test_switching_costs_the_same_with_more_windows() -> None:
    scores = np.repeat([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]], [8, 2, 8], axis=0)
    for stride in (0.25, 0.125):
        times = round(0.25 / stride)
        windows = [Window(0, 2, one) for one in np.repeat(scores, times, axis=0)]
        for cost, count in ((0.34, 3), (0.36, 1)):  # log(4) / 4 = 0.347
            timeline = make_timeline(stride=stride, switch_cost=cost)
            assert len(timeline.smooth(windows)) == count
