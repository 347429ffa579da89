"""Scores: dumps, weighted sums of several, results class by class; fuse_scores.py."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.evaluation import AccMetric
from mmengine.fileio import load
from scipy.special import softmax as softmax_of

from gap_mmaction.evaluation import (
    ScoreFile,
    check_same_samples,
    compare_classes,
    fuse_scores,
    load_scores,
    search_weights,
    transform_scores,
    write_scores,
)
from gap_mmaction.evaluation.accuracy import (
    confusion_matrix,
    errors_by_rank,
    most_confused,
    rank_pairs,
)
from gap_mmaction.evaluation.class_comparison import (
    holm,
    mcnemar_p,
    paired_bootstrap_interval,
)
from gap_mmaction.evaluation.class_names import find_class, load_class_names
from tests.evaluation.files import dump, noisy_scores
from tools.fuse_scores import main

LABELS = np.array([0, 2, 1, 1])
SCORES = noisy_scores(LABELS, 3, np.random.default_rng(0))


def write(path: Path, content: Any) -> str:
    path.write_bytes(pickle.dumps(content))
    return str(path)


def samples(**change: Any) -> list[dict[str, Any]]:
    """Four samples; the third is changed, where None takes a key out."""
    items = [
        {"pred_score": torch.from_numpy(s), "gt_label": torch.tensor([int(label)])}
        for s, label in zip(SCORES, LABELS)
    ]
    items[2] = {k: v for k, v in {**items[2], **change}.items() if v is not None}
    return items


@pytest.mark.parametrize("ids", [None, ["a", "b", "c", "d"]])
def test_a_dump_of_mmengine(tmp_path: Path, ids: list[str] | None) -> None:
    file = load_scores(dump(tmp_path / "a.pkl", SCORES, LABELS, ids))
    assert file.scores.dtype == np.float64
    np.testing.assert_array_equal(file.scores, SCORES)
    np.testing.assert_array_equal(file.labels, LABELS)
    assert file.sample_ids == ids


def test_written_scores_are_a_dump(tmp_path: Path) -> None:
    path = tmp_path / "new" / "fused.pkl"
    names = ["a", "b", "c", "d"]
    write_scores(path, SCORES.astype(np.float64), LABELS, names)
    file = load_scores(path)
    np.testing.assert_array_equal(file.scores, SCORES)
    assert file.sample_ids == names
    # As mmaction2's tools/analysis_tools/eval_metric.py takes it.
    metric = AccMetric()
    metric.process([], load(str(path)))
    expected = (SCORES.argmax(axis=1) == LABELS).mean()
    assert metric.compute_metrics(metric.results)["top1"] == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"a": 1}, "holds a dict"),
        ([1], "sample 0 is a int"),
        (samples(gt_label=None), r"sample 2 has no 'gt_label' \(only \['pred_score'\]"),
        (samples(pred_score=torch.zeros(1, 3)), r"sample 2.*of shape \[1, 3\].*clips"),
        (samples(pred_score={"rgb": torch.zeros(3)}), "sample 2.*is a dict"),
        (samples(pred_score=torch.zeros(4)), "sample 2 has scores of 4 classes"),
        (samples(gt_label=torch.tensor([3])), r"sample 2: 'gt_label' .*3.*0 to 2"),
        (samples(gt_label=-1), "sample 2: 'gt_label' is -1"),
        (samples(pred_score=torch.tensor([np.inf, 0, 1])), "is inf, and 1 of 4"),
    ],
)
def test_bad_content_is_named(content: Any, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "bad.pkl", content)
    with pytest.raises(ValueError, match=message) as caught:
        load_scores(path)
    assert str(caught.value).startswith(path)


def test_no_file_and_no_pickle(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.pkl: .*--dump"):
        load_scores(tmp_path / "none.pkl")
    twice = dump(tmp_path / "b.pkl", SCORES, LABELS, ["w", "x", "y", "x"])
    with pytest.raises(ValueError, match=r"b\.pkl: 'x' is there 2 times"):
        load_scores(twice)
    path = Path(dump(tmp_path / "a.pkl", SCORES, LABELS))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(pickle.UnpicklingError, match=r"a\.pkl.*--dump.*cut short"):
        load_scores(path)


RNG = np.random.default_rng(0)
FOURS = np.repeat(np.arange(4), 25)
GOOD, FAIR, NOISE = (noisy_scores(FOURS, 4, RNG, signal) for signal in (2.5, 1, 0))


def test_other_scores_and_weights() -> None:
    assert np.isfinite(transform_scores(np.array([[1.0, 0.0]]), "log", "x")).all()
    for scores in ([[0.5, 0.6]], [[1.5, -0.5]]):
        with pytest.raises(ValueError, match=r"x\.pkl: the scores are no probabilit"):
            transform_scores(np.array(scores), "log", "x.pkl")
    for weights, message in (
        ([1.0], "1 weights for 2 models"),
        ([0.0, 0.0], "one other than 0"),
        ([1.0, np.nan], "must be finite"),
    ):
        with pytest.raises(ValueError, match=message):
            fuse_scores([np.zeros((3, 2))] * 2, weights)
    with pytest.raises(ValueError, match=r"\(3, 2\), \(4, 2\)"):
        fuse_scores([np.zeros((3, 2)), np.zeros((4, 2))], [1, 1])


def test_weights_follow_the_signal() -> None:
    found = search_weights([NOISE, GOOD, FAIR], FOURS)
    assert found.num_candidates == 66
    np.testing.assert_allclose(found.fold_weights.sum(axis=1), 1)
    for weights in (*found.fold_weights, found.weights):
        assert weights.argmax() == 1
        assert weights[0] < 0.3
    # Of equally good weights the nearest to equal ones.
    same = search_weights([GOOD, GOOD, GOOD], FOURS, steps=9)
    np.testing.assert_allclose(same.weights, 1 / 3)


def test_each_fold_is_fused_with_the_best_weights_of_the_others() -> None:
    scores = [GOOD, FAIR]
    found = search_weights(scores, FOURS, num_folds=4, seed=3)

    def right(rows: np.ndarray, weights: Sequence[float]) -> float:
        fused = fuse_scores([s[rows] for s in scores], weights)
        return float((fused.argmax(axis=1) == FOURS[rows]).mean())

    for fold, weights in enumerate(found.fold_weights):
        inside = found.folds == fold
        expected = fuse_scores([s[inside] for s in scores], weights)
        np.testing.assert_array_equal(found.fused[inside], expected)
        assert found.fold_accuracies[fold] == right(inside, weights)
        others = [right(~inside, (i / 10, 1 - i / 10)) for i in range(11)]
        assert right(~inside, weights) == max(others)


def test_folds_are_seeded_and_hold_every_class() -> None:
    first, again = (search_weights([GOOD, FAIR], FOURS, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.fused, again.fused)
    for label in range(4):
        counts = np.bincount(first.folds[label == FOURS], minlength=5)
        assert counts.tolist() == [5] * 5
    for models, options, message in (
        (1, {}, "2 models or more"),
        (2, {"num_folds": 101}, "101 folds of 100 samples"),
        (2, {"steps": 0}, "0 steps"),
        (9, {"steps": 30}, "at most 100,000"),
    ):
        with pytest.raises(ValueError, match=message):
            search_weights([GOOD] * models, FOURS, **options)


def file(
    predictions: list[int], labels: list[int], path: str = "x", **options: Any
) -> ScoreFile:
    scores = np.eye(4)[predictions]
    return ScoreFile(path, scores, np.array(labels), **options)


#        right in both, gained, gained, lost | lost, wrong | right
ROW = [0, 0, 0, 0, 1, 1, 2]
BASE = file([0, 1, 2, 0, 1, 0, 2], ROW)
OTHER = file([0, 0, 0, 2, 3, 2, 2], ROW)


def test_counts() -> None:
    overall, classes = compare_classes(BASE, OTHER)
    assert [item.count for item in classes] == [4, 2, 1, 0]
    assert [item.only_other for item in classes] == [2, 0, 0, 0]
    assert [item.difference for item in classes[:3]] == [25, -50, 0]
    assert math.isnan(classes[3].difference) and math.isnan(classes[3].interval[0])
    assert (overall.count, overall.difference, overall.p) == (7, 0, 1)
    # 11 of 275 samples are exactly 4 %.
    base, zeros = file([1] * 11 + [0] * 264, [0] * 275), [0] * 275
    assert compare_classes(base, file(zeros, zeros), 10)[0].difference == 4


def test_p_values() -> None:
    for first, second, p in ((0, 0, 1), (1, 0, 1), (0, 6, 2 / 64), (5, 5, 1)):
        assert mcnemar_p(first, second) == pytest.approx(p)
    # By hand: twice the tail of the coin's distribution.
    tail = sum(math.comb(43, i) for i in range(13)) / 2**43
    assert mcnemar_p(12, 31) == mcnemar_p(31, 12) == pytest.approx(2 * tail)
    adjusted = holm([0.04, 0.01, 0.03, 0.5])
    assert adjusted == pytest.approx([0.09, 0.04, 0.09, 0.5])
    # As of the classes.
    labels = [0] * 10 + [1] * 10
    overall, classes = compare_classes(file([1] * 20, labels), file(labels, labels))
    assert classes[0].p == overall.p_holm == pytest.approx(2 / 2**10)
    assert classes[0].p_holm == 4 * classes[0].p


def test_bootstrap_is_that_of_resampled_samples() -> None:
    outcomes = np.repeat([-1, 1, 0], [10, 25, 65])
    rng = np.random.default_rng(0)
    draws = rng.choice(outcomes, size=(20_000, 100)).mean(axis=1)
    expected = np.quantile(draws, [0.025, 0.975])
    found = paired_bootstrap_interval(10, 25, 100, np.random.default_rng(1), 20_000)
    np.testing.assert_allclose(found, expected, atol=0.011)


def test_other_samples() -> None:
    first = file(ROW, ROW, sample_ids=[*"abcdefg"])
    assert check_same_samples([first, first])
    assert not check_same_samples([first, BASE])
    for labels, ids, message in (
        (ROW[:3], None, "3 samples and 7"),
        ([0, 0, 0, 1, 0, 1, 2], None, "sample 3 .*label 1 .* and 0 .*, and 2 samples"),
        (ROW, [*"acbdefg"], "another order, sample 1 is 'c' .* 'b'"),
        (ROW, [*"azcdefg"], "1 of 7 samples are only in y.*'z'"),
        (ROW[:6], [*"abcdef"], "1 of 7 samples are only in x.*'g'"),
    ):
        other = file(labels, labels, path="y", sample_ids=ids)
        message = f"y and x do not belong together: .*{message}"
        with pytest.raises(ValueError, match=message):
            check_same_samples([first, first, other])


def test_confusion() -> None:
    labels = np.array([0, 0, 0, 1, 1, 3])
    matrix = confusion_matrix(np.array([0, 1, 1, 1, 0, 3]), labels, 4)
    # Rows are true classes.
    assert matrix.tolist() == [[1, 2, 0, 0], [1, 1, 0, 0], [0] * 4, [0, 0, 0, 1]]
    assert most_confused(matrix, 10) == [(0, 1, 2), (1, 0, 1)]
    assert most_confused(matrix, 1) == [(0, 1, 2)]


def test_errors_of_classes_that_are_alike() -> None:
    """Classes 0 and 1 are the most alike of six; all errors are of these two."""
    places = np.array([0, 1, 10, 30, 60, 100])
    ranks = rank_pairs(-abs(places[:, None] - places))
    assert np.isnan(np.diag(ranks)).all() and np.array_equal(ranks, ranks.T, True)
    assert np.nanmean(ranks) == pytest.approx(50) and np.nanmax(ranks) == ranks[0, 1]
    matrix = np.diag([8] * 6)
    matrix[0, 1], matrix[1, 0] = 2, 1
    mean, p = errors_by_rank(matrix, ranks)
    # As alike a pair comes up once in 15.
    assert mean == pytest.approx(100 * 14.5 / 15)
    assert p == pytest.approx(1 / 15, abs=0.01)
    matrix[1, 0], matrix[0, 5] = 0, 2
    assert errors_by_rank(matrix, ranks)[0] == pytest.approx(50)
    assert rank_pairs(np.ones((3, 3)))[0, 1] == 50


def test_names() -> None:
    assert load_class_names(None, 3) == ["0", "1", "2"]
    by_name = load_class_names("nwucla", 10)
    assert by_name[5] == "stand up"
    with pytest.raises(ValueError, match=r"nwucla: describes 10 classes.*60"):
        load_class_names("nwucla", 60)
    wanted = {"sit": 0, "1": 2, "0": 0, "2": 2, "3": None, "-1": None, "²": None}
    for name, index in wanted.items():
        # A name comes first, even one that looks like an index.
        assert find_class(name, ["sit", "stand", "1"]) == index


PAPER_WEIGHTS = ["--weights", "0.8", "0.8", "0.2", "0.2"]


def _row(text: str, name: str) -> list[str]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
    return next(line for line in lines if line[0] == name)


def test_golden_ensemble(
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = np.load(golden_folder / "ensemble.npz")
    out = tmp_path / "fused.pkl"
    for softmax, options in ((False, []), (True, ["--transform", "log"])):
        files = []
        for name in ("joint", "bone", "joint_motion", "bone_motion"):
            scores = softmax_of(expected[name], axis=1) if softmax else expected[name]
            files.append(dump(tmp_path / f"{name}.pkl", scores, expected["labels"]))
        assert main([*files, *PAPER_WEIGHTS, *options, "--out", str(out)]) == 0
        fused = load_scores(out)
        np.testing.assert_array_equal(fused.predictions, expected["prediction"])
        printed = capsys.readouterr()
        row = _row(printed.out, "fused")
        assert row[3] == f"{100 * expected['top5']:.2f}"
        assert "only number and labels" in printed.err
        if not softmax:
            np.testing.assert_allclose(fused.scores, expected["fused"], atol=2e-6)
            assert row[2] == f"{100 * expected['top1']:.2f}"


def test_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [f"s{i}" for i in range(len(FOURS))]
    files = [
        dump(tmp_path / f"{name}.pkl", scores, FOURS, ids)
        for name, scores in (("good", GOOD), ("noise", NOISE))
    ]
    out = tmp_path / "fused.pkl"
    options = ["--search", "--folds", "3", "--seed", "1", "--out", str(out)]
    assert main([*files, *options]) == 0
    printed = capsys.readouterr()
    assert not printed.err
    fused = load_scores(out)
    assert fused.sample_ids == ids
    top1 = f"{100 * (fused.predictions == FOURS).mean():.2f}"
    assert _row(printed.out, "fused, weights held out")[2] == top1
