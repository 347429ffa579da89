"""tools/data/prepare_nwucla.py, on a tiny archive and on broken ones."""

from __future__ import annotations

import importlib.util
import json
import re
import stat
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.datasets.readers.nwucla import ACTION_IDS
from gap_mmaction.utils.restricted_pickle import load_annotations

SCRIPT = Path(__file__).parents[2] / "tools" / "data" / "prepare_nwucla.py"


def load_tool() -> ModuleType:
    """Import the script."""
    spec = importlib.util.spec_from_file_location("prepare_nwucla", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool()


def sequence(name: str, frames: int = 3) -> dict[str, Any]:
    """Make the content of one json file."""
    rng = np.random.default_rng(frames)
    return {
        "file_name": name,
        "skeletons": rng.normal(size=(frames, 20, 3)).tolist(),
        "label": ACTION_IDS.index(int(name[1:3])) + 1,
    }


@pytest.fixture
def files() -> dict[str, Any]:
    """Every class in every view, name to content."""
    names = [f"a{a:02d}_s01_e00_v{v:02d}" for a in ACTION_IDS for v in (1, 2, 3)]
    return {name: sequence(name, 1 + i) for i, name in enumerate(names)}


def write_zip(path: Path, files: dict[str, Any]) -> Path:
    """Write an archive; content that is a string is written as it is."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("all_sqe/", "")
        for name, content in files.items():
            text = content if isinstance(content, str) else json.dumps(content)
            archive.writestr(f"all_sqe/{name}.json", text)
    return path


def test_zip(
    tmp_path: Path, files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_zip(tmp_path / "all_sqe.zip", files)
    out = tmp_path / "new" / "nwucla.pkl"
    assert TOOL.main([str(source), str(out)]) == 0
    content = load_annotations(out)
    assert content["split"]["xview_train"] == sorted(
        name for name in files if not name.endswith("v03")
    )
    assert content["split"]["xview_val"] == sorted(
        name for name in files if name.endswith("v03")
    )
    for item in content["annotations"]:
        raw = files[item["frame_dir"]]
        assert item["label"] == raw["label"] - 1
        assert item["keypoint"].dtype == np.float32
        assert item["keypoint"].shape == (1, item["total_frames"], 20, 3)
        np.testing.assert_allclose(item["keypoint"][0], raw["skeletons"], atol=1e-6)
    assert stat.S_IMODE(out.stat().st_mode) & stat.S_IRUSR
    assert [path.name for path in out.parent.iterdir()] == [out.name]

    printed = capsys.readouterr()
    assert "30/30" in printed.out
    rows = [line.split() for line in printed.out.splitlines()]
    assert ["9", "a12", "2", "1"] in rows
    assert ["all", "20", "10"] in rows
    assert "full data set has 1,484" in printed.err

    dataset = SafePoseDataset(
        str(out), [], split="xview_val", layout="nw-ucla", num_classes=10
    )
    assert len(dataset) == 10


def test_folder_gives_the_same(tmp_path: Path, files: dict[str, Any]) -> None:
    source = write_zip(tmp_path / "all_sqe.zip", files)
    with zipfile.ZipFile(source) as archive:
        archive.extractall(tmp_path)
    for i, path in enumerate((source, tmp_path / "all_sqe", tmp_path)):
        assert TOOL.main([str(path), str(tmp_path / f"{i}.pkl")]) == 0
    results = [(tmp_path / f"{i}.pkl").read_bytes() for i in range(3)]
    assert results[0] == results[1] == results[2]


def nested(value: Any) -> list[Any]:
    """One frame with ``value`` as a coordinate."""
    return [[[0.0, 1.0, value], *([[0.0, 1.0, 2.0]] * 19)]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{", "not json"),
        ("[]", "holds a list"),
        ({"label": None}, "'label' is None"),
        ({"label": 4}, "'label' is 4.*means 3"),
        ({"skeletons": []}, "no frames"),
        ({"skeletons": [[[0, 1, 2]] * 19]}, r"shape \[1, 19, 3\]"),
        ({"skeletons": [[[0, 1, 2]] * 20, [[0, 1, 2]] * 19]}, "ragged"),
        ({"skeletons": [[[0, 1]] * 20]}, r"shape \[1, 20, 2\]"),
        ({"skeletons": nested("2.0")}, "type <U"),
        ({"skeletons": nested(None)}, "type object"),
        ({"skeletons": nested(float("nan"))}, "not finite at .0, 0, 2."),
        ({"skeletons": nested(float("-inf"))}, "not finite"),
        ({"skeletons": nested(1e60)}, "not finite"),
    ],
)
def test_broken_file_is_named(
    change: Any,
    message: str,
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "a03_s01_e00_v02"
    files[name] = change if isinstance(change, str) else {**files[name], **change}
    source = write_zip(tmp_path / "all_sqe.zip", files)
    out = tmp_path / "nwucla.pkl"
    out.write_bytes(b"the old one")
    assert TOOL.main([str(source), str(out)]) == 1
    error = capsys.readouterr().err
    assert f"{source}: all_sqe/{name}.json" in error
    assert re.search(message, error)
    assert out.read_bytes() == b"the old one"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("key", ["label", "skeletons"])
def test_missing_key(
    key: str,
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    del files["a03_s01_e00_v02"][key]
    source = write_zip(tmp_path / "all_sqe.zip", files)
    assert TOOL.main([str(source), str(tmp_path / "o.pkl")]) == 1
    assert f"a03_s01_e00_v02.json: the key '{key}' is missing" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a07_s01_e00_v01", "unknown action 7"),
        ("a01_s01_e00_v04", "unknown view 4"),
        ("notes", "not of the form"),
    ],
)
def test_bad_name(
    name: str,
    message: str,
    tmp_path: Path,
    files: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    files[name] = files["a01_s01_e00_v01"]
    source = write_zip(tmp_path / "all_sqe.zip", files)
    assert TOOL.main([str(source), str(tmp_path / "o.pkl")]) == 1
    error = capsys.readouterr().err
    assert f"{name}.json" in error
    assert message in error


def test_broken_archive(
    tmp_path: Path, files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_zip(tmp_path / "all_sqe.zip", files)
    data = bytearray(source.read_bytes())
    name = b"all_sqe/a01_s01_e00_v01.json"
    data[data.index(name) + len(name) + 40] ^= 0xFF  # a byte of the content
    source.write_bytes(data)
    assert TOOL.main([str(source), str(tmp_path / "o.pkl")]) == 1
    assert "a01_s01_e00_v01.json: cannot be read" in capsys.readouterr().err
    source.write_bytes(data[: len(data) // 2])
    assert TOOL.main([str(source), str(tmp_path / "o.pkl")]) == 1
    assert "not a readable zip archive" in capsys.readouterr().err


def test_sequence_twice(
    tmp_path: Path, files: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    name = "a01_s01_e00_v01"
    source = write_zip(tmp_path / "all_sqe.zip", {**files, f"old/{name}": files[name]})
    assert TOOL.main([str(source), str(tmp_path / "o.pkl")]) == 1
    assert f"{name} is there twice" in capsys.readouterr().err


def test_nothing_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for source, message in (("none.zip", "neither"), ("empty", "no file named *.json")):
        args = [str(tmp_path / source), str(tmp_path / "o.pkl")]
        assert TOOL.main(args) == 1
        error = capsys.readouterr().err
        assert source in error
        assert message in error


def test_out_of_another_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        TOOL.main([str(tmp_path), str(tmp_path / "out.json")])
    assert "must end in .pkl" in capsys.readouterr().err


@pytest.mark.real_data
def test_the_real_archive(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "nwucla.pkl"
    assert TOOL.main([str(shared / "data/nw-ucla/all_sqe.zip"), str(out)]) == 0
    content = load_annotations(out)
    expected = json.loads((shared / "golden/nwucla_splits.json").read_text())
    found = {item["frame_dir"]: item for item in content["annotations"]}
    for part in ("train", "val"):
        names = expected[f"{part}_names"]
        assert content["split"][f"xview_{part}"] == sorted(names)
        assert [found[n]["label"] for n in names] == expected[f"{part}_labels"]
        assert [found[n]["total_frames"] for n in names] == expected[f"{part}_lengths"]


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_when_damaged(
    kind: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "all_sqe.zip"
    with zipfile.ZipFile(source, "w", kind) as archive:
        archive.writestr("a01_s01_e00_v01.json", json.dumps(sequence("a01")))
    data = bytearray(source.read_bytes())
    data[60:90] = b"\xff" * 30
    source.write_bytes(data)
    assert TOOL.main([str(source), str(tmp_path / "out.pkl")]) == 1
    error = capsys.readouterr().err
    assert f"{source}: a01_s01_e00_v01.json: cannot be read" in error


def test_a_file_that_would_fill_the_memory(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("gap_mmaction.utils.zip_source.MOST_BYTES", 10**5)
    source = tmp_path / "all_sqe.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a01_s01_e00_v01.json", " " * 10**6)
    assert source.stat().st_size < 10**4
    assert TOOL.main([str(source), str(tmp_path / "out.pkl")]) == 1
    assert "would take 1,000,000 bytes unpacked" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 10**5, "nested too deeply"),
        ('{"label": true, "skeletons": []}', "'label' is True"),
        ('{"label": 1.0, "skeletons": []}', "'label' is 1.0"),
    ],
)
def test_odd_json(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_zip(tmp_path / "all_sqe.zip", {"a01_s01_e00_v01": text})
    assert TOOL.main([str(source), str(tmp_path / "out.pkl")]) == 1
    error = capsys.readouterr().err
    assert "a01_s01_e00_v01.json" in error
    assert message in error
