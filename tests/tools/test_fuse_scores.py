"""tools/fuse_scores.py: the authors' ensemble, searched weights, and bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.evaluation import load_scores
from tests.evaluation.score_files import dump, dump_streams, noisy_scores
from tools.fuse_scores import main

WEIGHTS = ["--weights", "0.8", "0.8", "0.2", "0.2"]
LABELS = np.repeat(np.arange(3), 10)
GOOD, NOISE = (noisy_scores(LABELS, 3, np.random.default_rng(0), s) for s in (3, 0))


def _row(text: str, name: str) -> list[str]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
    return next(line for line in lines if line[0] == name)


def test_golden_ensemble(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = shared / "golden/ensemble.npz"
    expected = np.load(golden)
    out = tmp_path / "fused.pkl"
    note = "note: the scores are probabilities"
    for softmax, options in ((False, []), (True, ["--transform", "log"])):
        files = dump_streams(golden, tmp_path, softmax)
        assert main([*files, *WEIGHTS, *options, "--out", str(out)]) == 0
        fused = load_scores(out)
        np.testing.assert_array_equal(fused.predictions, expected["prediction"])
        printed = capsys.readouterr()
        row = _row(printed.out, "fused")
        assert row[1] == "0.8 0.8 0.2 0.2"
        assert row[3] == f"{100 * expected['top5']:.2f}"
        assert "only number and labels" in printed.err and note not in printed.err
        if not softmax:
            np.testing.assert_allclose(fused.scores, expected["fused"], atol=2e-6)
            assert row[2] == f"{100 * expected['top1']:.2f}"
            assert main([*files[:2], "--weights", "1", "1"]) == 0
            row = _row(capsys.readouterr().out, "fused")
            assert row[2] == f"{100 * expected['top1_joint_bone']:.2f}"
    assert main([*files, *WEIGHTS]) == 0
    assert note in capsys.readouterr().err


def test_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ids = [f"s{i}" for i in range(len(LABELS))]
    files = [
        dump(tmp_path / f"{name}.pkl", scores, LABELS, ids)
        for name, scores in (("good", GOOD), ("noise", NOISE))
    ]
    out = tmp_path / "fused.pkl"
    options = ["--search", "--folds", "3", "--seed", "1", "--out", str(out)]
    assert main([*files, *options]) == 0
    printed = capsys.readouterr()
    assert "3 folds, seed 1, 11 weights tried" in printed.out
    assert "For other data: --weights" in printed.out
    assert not printed.err
    fused = load_scores(out)
    assert fused.sample_ids == ids
    top1 = f"{100 * (fused.predictions == LABELS).mean():.2f}"
    assert _row(printed.out, "fused, weights held out")[2] == top1
    # A row for each fold, whose mean is that of all, as the folds are equally large.
    folds = [float(_row(printed.out, str(fold))[3]) for fold in (1, 2, 3)]
    assert np.mean(folds) == pytest.approx(float(top1), abs=0.01)

    assert main([*files, *options, "--weights", "1", "1"]) == 0
    assert _row(capsys.readouterr().out, "fused")[1] == "1 1"
    np.testing.assert_array_equal(load_scores(out).scores, fused.scores)


@pytest.mark.parametrize(
    ("scores", "labels", "options", "message"),
    [
        (GOOD[:9], LABELS[:9], ["--weights", "1", "1"], "9 samples and 30"),
        (GOOD, LABELS[::-1], ["--weights", "1", "1"], "sample 0 has label 2"),
        (GOOD * np.nan, LABELS, ["--weights", "1", "1"], "b.pkl: the score of sample"),
        (GOOD, LABELS, ["--weights", "1"], "1 weights for 2 models"),
        (GOOD, LABELS, ["--search", "--folds", "99"], "99 folds of 30"),
        (GOOD, LABELS, ["--search", "--transform", "log"], "no probabilities"),
    ],
)
def test_bad_files(
    scores: np.ndarray,
    labels: np.ndarray,
    options: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = dump(tmp_path / "a.pkl", GOOD, LABELS)
    second = dump(tmp_path / "b.pkl", np.ascontiguousarray(scores), labels)
    out = tmp_path / "fused.pkl"
    assert main([first, second, *options, "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not out.exists()


def test_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "none.pkl"), "--weights", "1"]) == 1
    assert "none.pkl: there is no such file" in capsys.readouterr().err
    for options in (["a.pkl"], ["a.pkl", "--weights", "1", "--out", "fused.npy"]):
        with pytest.raises(SystemExit):
            main(options)
