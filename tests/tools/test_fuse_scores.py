"""tools/fuse_scores.py: the authors' ensemble, searched weights, and bad files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import softmax as softmax_of

from gap_mmaction.evaluation import load_scores
from tests.evaluation.files import dump, noisy_scores
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
    expected = np.load(golden_folder / "ensemble.npz")
    out = tmp_path / "fused.pkl"
    for softmax, options in ((False, []), (True, ["--transform", "log"])):
        files = []
        for name in ("joint", "bone", "joint_motion", "bone_motion"):
            scores = softmax_of(expected[name], axis=1) if softmax else expected[name]
            files.append(dump(tmp_path / f"{name}.pkl", scores, expected["labels"]))
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
