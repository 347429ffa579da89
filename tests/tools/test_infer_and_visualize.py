"""tools/infer.py and tools/visualize.py, on good files and on bad ones."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from tests.apis.small_model import CLASSES, SmallRun, make_sequences
from tests.visualization.clips import standing
from tools import infer, visualize

SEQUENCES = make_sequences(4)


class Files(NamedTuple):
    folder: Path
    model: SmallRun

    def run(self, *arguments: str) -> int:
        return infer.main([*arguments, *self.model.options])

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
    files: Files, tmp_path: Path, capsys: Printed
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


Printed = pytest.CaptureFixture[str]


def test_movies_without_a_model(files: Files, tmp_path: Path) -> None:
    """All frames of a sequence; five of another one; two persons of a picture."""
    gif = str(tmp_path / "a.gif")
    layout = ["--layout", "nw-ucla"]
    assert visualize.main([*files.paths("two.json"), *layout, "--out", gif]) == 0
    with Image.open(gif) as image:
        assert getattr(image, "n_frames", 0) == 14
    named = [*files.paths("many.pkl"), "--name", "a0", *layout, "--labels", "nwucla"]
    assert visualize.main([*named, "--frames", "5", "--up", "z", "--out", gif]) == 0
    with Image.open(gif) as image:
        assert getattr(image, "n_frames", 0) == 5
    np.save(tmp_path / "a.npy", np.random.default_rng(0).uniform(0, 100, (2, 4, 17, 3)))
    flat = [str(tmp_path / "a.npy"), "--layout", "coco", "--parts", "head", "foot"]
    assert visualize.main([*flat, "--out", str(tmp_path / "a.mp4")]) == 0
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_prediction(files: Files, tmp_path: Path, capsys: Printed) -> None:
    clip = [*files.paths("many.pkl"), "--name", "a0", "--frames", "3"]
    clip += files.model.options
    wide, narrow = tmp_path / "wide.png", tmp_path / "narrow.png"
    assert visualize.main([*clip, "--top-k", "2", "--out", str(wide)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "3 of 9 frames" in lines[2]
    first, second = (float(line.split()[0]) for line in lines[:2])
    assert 1 >= first >= second >= 0
    assert visualize.main([*clip, "--no-parts", "--out", str(narrow)]) == 0
    with Image.open(wide) as a, Image.open(narrow) as b:
        assert a.width > b.width


def test_errors(files: Files, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "a.png"
    for name, arguments, message in (
        ("many.pkl", ["nw-ucla"], "holds 4 sequences, choose one"),
        ("many.pkl", ["nw-ucla", "--name", "a9"], "there are a0, a1"),
        ("two.json", ["coco"], "20 joints"),
        ("two.json", ["nw-ucla", "--parts", "tail"], "no part 'tail'"),
    ):
        layout = [*files.paths(name), "--layout", *arguments]
        assert visualize.main([*layout, "--out", str(out)]) == 1
        assert message in capsys.readouterr().err
        assert not out.exists()


def test_timeline(tmp_path: Path, capsys: Printed) -> None:
    """Three seconds of a body that moves its hands, then nobody for four."""
    joints = standing(frames=90)[0]
    joints[:, 4:12] += 0.3 * np.sin(np.arange(90) / 5)[:, None, None]
    np.save(tmp_path / "a.npy", np.concatenate([joints, np.zeros((120, 20, 3))]))
    arguments = [f"{tmp_path}/a.npy", "--timeline", "--model", "utd_mhad", "--out"]
    outs = [tmp_path / f"a.{suffix}" for suffix in ("json", "csv", "srt", "png", "gif")]
    never = tmp_path / "unknown.json"  # but where nobody is
    never.write_text("{}")
    for out in outs[:3]:
        options = [str(out), "--stride", "0.5", "--unknown", str(never)]
        assert infer.main([*arguments, *options]) == 0
    segments = json.loads(outs[0].read_text())["segments"]
    assert segments[0]["start"] == 0 and segments[-1]["end"] == pytest.approx(209 / 30)
    assert all(a["end"] == b["start"] for a, b in zip(segments, segments[1:]))
    assert segments[0]["label"] >= 0 and segments[-1]["name"] == "none of these"
    rows = list(csv.DictReader(outs[1].read_text().splitlines()))
    assert rows == [{k: str(v) for k, v in one.items()} for one in segments]
    first, *more = [one for one in segments if one["label"] >= 0]
    end = f"{first['end']:06.3f}".replace(".", ",")
    lines = (
        f"1\n00:00:00,000 --> 00:00:{end}\n{first['name']} ({first['score']:.2f})\n\n"
    )
    subtitles = outs[2].read_text()
    assert subtitles.startswith(lines) and subtitles.count("-->") == 1 + len(more)
    for out, frames in zip(outs[3:], (1, 3)):
        assert visualize.main([*arguments, str(out), "--frames", "3"]) == 0
        with Image.open(out) as image:
            assert getattr(image, "n_frames", 1) == frames and image.width > 700
    for wrong, words in (
        (["a.srt", "b.npy"], "one input"),
        (["a.c"], "or .srt"),
        (["a.csv", "--top-k", "3"], "--top-k goes without --timeline"),
    ):
        with pytest.raises(SystemExit):
            infer.main([*arguments[1:], wrong[0], *arguments[:1], *wrong[1:]])
        assert words in capsys.readouterr().err
    with pytest.raises(SystemExit):
        infer.main([*arguments[:1], *arguments[2:], "a.csv", "--onnx", "a.onnx"])
    assert "--onnx goes with --timeline" in capsys.readouterr().err
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"keypoint": np.zeros(5)}))
    arguments[0] = f"{tmp_path}/a.pkl"
    assert infer.main([*arguments, "a.csv"]) == 1
    assert "the recording has shape [5]" in capsys.readouterr().err
