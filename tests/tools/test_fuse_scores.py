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
    golden_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    golden = golden_folder / "ensemble.npz"
    expected = np.load(golden)
    out = tmp_path / "fused.pkl"
    for softmax, options in ((False, []), (True, ["--transform", "log"])):
        files = dump_streams(golden, tmp_path, softmax)
        assert main([*files, *WEIGHTS, *options, "--out", str(out)]) == 0
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
    ids = [f"s{i}" for i in range(len(LABELS))]
    files = [
        dump(tmp_path / f"{name}.pkl", scores, LABELS, ids)
        for name, scores in (("good", GOOD), ("noise", NOISE))
    ]
    out = tmp_path / "fused.pkl"
    options = ["--search", "--folds", "3", "--seed", "1", "--out", str(out)]
    assert main([*files, *options]) == 0
    printed = capsys.readouterr()
    assert not printed.err
    fused = load_scores(out)
    assert fused.sample_ids == ids
    top1 = f"{100 * (fused.predictions == LABELS).mean():.2f}"
    assert _row(printed.out, "fused, weights held out")[2] == top1


def test_bad_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, out = dump(tmp_path / "a.pkl", GOOD, LABELS), tmp_path / "fused.pkl"
    second = dump(tmp_path / "b.pkl", GOOD * np.nan, LABELS)
    assert main([first, second, "--search", "--out", str(out)]) == 1
    assert "b.pkl: the score of sample" in capsys.readouterr().err
    assert not out.exists()
