"""tools/infer.py, on good files and on bad ones."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.apis.small_model import CLASSES, SmallRun, make_sequences
from tools.infer import main

SEQUENCES = make_sequences(4)


class Files(NamedTuple):
    folder: Path
    model: SmallRun

    def run(self, *arguments: str) -> int:
        return main([*arguments, *self.model.options])

    def paths(self, *names: str) -> list[str]:
        return [str(self.folder / name) for name in names]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, small_run: SmallRun) -> Files:
    folder = tmp_path_factory.mktemp("infer")
    np.save(folder / "one.npy", SEQUENCES[0])
    content = {"label": 1, "skeletons": SEQUENCES[1][0].tolist()}
    (folder / "two.json").write_text(json.dumps(content))
    items: list[dict[str, Any]] = [
        {"frame_dir": f"a{i}", "keypoint": SEQUENCES[i]} for i in range(4)
    ]
    items[0]["label"] = np.int64(2)
    items[1]["keypoint"] = np.full((1, 5, 20, 3), np.nan)
    annotations = {"split": {"val": ["a0", "a3"]}, "annotations": items}
    (folder / "many.pkl").write_bytes(pickle.dumps(annotations))
    (folder / "bad.json").write_text("{")
    return Files(folder, small_run)


def test_json(files: Files, tmp_path: Path) -> None:
    out = tmp_path / "new" / "results.json"
    paths = files.paths("one.npy", "two.json", "many.pkl")
    arguments = [*paths, "--split", "val", "--batch-size", "3", "--top-k", "2"]
    assert files.run(*arguments, "--part-similarity", "--out", str(out)) == 0
    content = json.loads(out.read_text())
    results = content["results"]
    assert [r["input"] for r in results] == [*paths, paths[2]]
    assert [r["name"] for r in results] == [*paths[:2], "a0", "a3"]
    expected = files.model.inferencer()([SEQUENCES[i] for i in (0, 1, 0, 3)])
    for result, other in zip(results, expected):
        np.testing.assert_allclose(result["scores"], other.scores, rtol=0, atol=1e-6)
        assert [top["label"] for top in result["top"]] == list(other.top_labels[:2])
        assert len(result["part_similarity"]["hip"]) == CLASSES


def test_bad_files_do_not_stop_the_others(
    files: Files, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.json"
    np.save(files.folder / "huge.npy", 1e38 * np.sign(SEQUENCES[2]))
    paths = files.paths("bad.json", "one.npy", "absent.npy", "huge.npy", "many.pkl")
    assert files.run(*paths, "--batch-size", "2", "--out", str(out)) == 1
    results = json.loads(out.read_text())["results"]
    assert [r["input"] for r in results] == [*paths[:4], *[paths[4]] * 4]
    wrong = {i: r["error"] for i, r in enumerate(results) if "error" in r}
    words = {0: "not json", 2: "no such file", 3: "not finite", 5: "many.pkl: a1: "}
    assert list(wrong) == list(words)
    assert all(word in wrong[i] for i, word in words.items())
    printed = capsys.readouterr().err
    assert all(f"error: {message}\n" in printed for message in wrong.values())


def test_csv(files: Files, tmp_path: Path) -> None:
    out = tmp_path / "results.csv"
    paths = files.paths("one.npy", "bad.json", "many.pkl")
    arguments = ["--split", "val", "--labels", "nwucla", "--part-similarity"]
    assert files.run(*paths, *arguments, "--out", str(out)) == 1
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    (expected,) = files.model.inferencer()([SEQUENCES[0]], part_similarity=True)
    assert [row["true_label"] for row in rows] == ["", "", "2", ""]
    assert rows[0]["label_1"] == str(expected.label)
    assert expected.part_similarity is not None
    wanted = (expected.score, expected.part_similarity[1, expected.label])
    found = [float(rows[0][key]) for key in ("score_1", "similarity_head")]
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
    assert "not json" in rows[1]["error"] and rows[1]["label_1"] == ""
