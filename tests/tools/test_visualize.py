"""tools/visualize.py, with and without a model."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.apis.small_model import SmallRun, make_sequences
from tools.visualize import main

Printed = pytest.CaptureFixture[str]
SEQUENCES = make_sequences(2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("visualize")
    items = [
        {"frame_dir": f"a{i}", "label": i, "keypoint": SEQUENCES[i]} for i in range(2)
    ]
    (folder / "many.pkl").write_bytes(pickle.dumps({"annotations": items}))
    content = {"label": 1, "skeletons": SEQUENCES[0][0].tolist()}
    (folder / "one.json").write_text(json.dumps(content))
    points = np.random.default_rng(0).uniform(0, 100, (2, 4, 17, 3))
    np.save(folder / "coco.npy", points)
    return folder


def test_movies_without_a_model(folder: Path, tmp_path: Path) -> None:
    """Nine frames of a sequence; five of another one; two persons of a picture."""
    gif = str(tmp_path / "a.gif")
    layout = ["--layout", "nw-ucla"]
    assert main([str(folder / "one.json"), *layout, "--out", gif]) == 0
    with Image.open(gif) as image:
        assert getattr(image, "n_frames", 0) == 9
    named = [str(folder / "many.pkl"), "--name", "a1", *layout, "--labels", "nwucla"]
    assert main([*named, "--frames", "5", "--up", "z", "--out", gif]) == 0
    with Image.open(gif) as image:
        assert getattr(image, "n_frames", 0) == 5
    flat = [str(folder / "coco.npy"), "--layout", "coco", "--parts", "head", "foot"]
    assert main([*flat, "--out", str(tmp_path / "a.mp4")]) == 0
    assert (tmp_path / "a.mp4").read_bytes()[4:8] == b"ftyp"


def test_prediction(
    small_run: SmallRun, folder: Path, tmp_path: Path, capsys: Printed
) -> None:
    clip = [str(folder / "many.pkl"), "--name", "a0", "--frames", "3"]
    clip += small_run.options
    wide, narrow = tmp_path / "wide.png", tmp_path / "narrow.png"
    assert main([*clip, "--top-k", "2", "--out", str(wide)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "3 of 9 frames" in lines[2]
    first, second = (float(line.split()[0]) for line in lines[:2])
    assert 1 >= first >= second >= 0
    assert main([*clip, "--no-parts", "--out", str(narrow)]) == 0
    with Image.open(wide) as a, Image.open(narrow) as b:
        assert a.width > b.width


def test_errors(folder: Path, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "a.png"
    for name, arguments, message in (
        ("many.pkl", ["nw-ucla"], "holds 2 sequences, choose one"),
        ("many.pkl", ["nw-ucla", "--name", "a3"], "there are a0, a1"),
        ("one.json", ["coco"], "20 joints"),
        ("one.json", ["nw-ucla", "--parts", "tail"], "no part 'tail'"),
    ):
        layout = [str(folder / name), "--layout", *arguments]
        assert main([*layout, "--out", str(out)]) == 1
        assert message in capsys.readouterr().err
        assert not out.exists()
