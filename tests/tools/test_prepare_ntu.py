"""tools/data/prepare_ntu.py, on made-up recordings and on broken ones."""

from __future__ import annotations

import csv
import errno
import multiprocessing
import os
import shutil
import time
import weakref
import zipfile
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.datasets.ntu import conversion
from gap_mmaction.datasets.ntu.conversion import Chunk, list_files
from gap_mmaction.utils.restricted_pickle import load_annotations
from tests.ntu_recordings import format_skeleton, make_recording
from tests.processes import is_running, wait_for
from tools.data import prepare_ntu

Files = dict[str, bytes]
Capture = pytest.CaptureFixture[str]
BROKEN = "S001C002P002R001A003"
EMPTY = "S001C003P001R001A002"
OF_120 = "S018C001P041R001A061"


@pytest.fixture
def files() -> Files:
    """Name to text: two performers, three cameras, three actions, few frames."""
    rng = np.random.default_rng(0)
    return {
        f"S001C00{camera}P00{performer}R001A{action}": make_recording(rng, 3 + camera)
        for camera in (1, 2, 3)
        for performer in (2, 3)
        for action in ("001", "002", "060")
    }


@pytest.fixture
def source(tmp_path: Path, files: Files) -> Path:
    return write_folder(tmp_path / "raw", files)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "o.pkl"


def write_folder(path: Path, files: Files) -> Path:
    """Writes the files into a folder, half of them into one below."""
    (path / "more").mkdir(parents=True)
    for i, (name, data) in enumerate(files.items()):
        (path / ("more" if i % 2 else "") / f"{name}.skeleton").write_bytes(data)
    (path / "readme.txt").write_text("no skeleton")
    return path


def notes(out: Path) -> dict[tuple[str, str], str]:
    with open(out.with_suffix(".report.csv"), newline="") as stream:
        return {(sample, kind): reason for sample, kind, reason in csv.reader(stream)}


def convert(source: Path, out: Path, *args: Any) -> int:
    options = ("--raw", source, "--out", out, "--workers", 1, *args)
    return prepare_ntu.main([str(option) for option in options])


def test_annotations_of_folders_and_zips(
    tmp_path: Path, source: Path, files: Files, capsys: Capture
) -> None:
    out = tmp_path / "new" / "ntu60.pkl"
    assert convert(source, out) == 0
    content = load_annotations(out)
    names = [item["frame_dir"] for item in content["annotations"]]
    assert names == sorted(files)
    for item in content["annotations"]:
        assert item["label"] == int(item["frame_dir"][-3:]) - 1
        assert item["keypoint"].shape == (1, item["total_frames"], 25, 3)
    splits = content["split"]
    assert sorted(splits) == ["xsub_train", "xsub_val", "xview_train", "xview_val"]
    assert splits["xsub_train"] == [name for name in names if "P002" in name]
    assert splits["xview_val"] == [name for name in names if "C001" in name]
    error = capsys.readouterr().err
    assert f"{out}, xview_val: no sample of 57 of 60 classes, A003, A" in error
    assert {path.suffix for path in out.parent.iterdir()} == {".pkl", ".csv"}
    assert len(notes(out)) == 1 + 18  # all are short
    options: Any = {"layout": "nturgb+d", "num_classes": 60}
    assert len(SafePoseDataset(str(out), [], "xview_val", **options)) == 6
    same, archives = tmp_path / "same.pkl", [tmp_path / "0.zip", tmp_path / "1.zip"]
    for i, path in enumerate(archives):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("__MACOSX/._S001C001P001R001A001.skeleton", "mac")
            for name in names[i::2]:
                archive.writestr(f"nturgb+d_skeletons/{name}.skeleton", files[name])
    workers = ("--workers", 2, "--chunk-size", 4)
    assert convert(source, same, "--raw", *archives, *workers) == 0
    assert out.read_bytes() == same.read_bytes()


def test_dataset(tmp_path: Path, files: Files, out: Path) -> None:
    files[OF_120] = make_recording(np.random.default_rng(0), 12, 2)
    source = write_folder(tmp_path / "raw", files)
    for protocol, persons in (("reference", 2), ("clean", 1)):
        assert convert(source, out, "--protocol", protocol) == 0
        content = load_annotations(out)
        assert set(content["split"]) >= {"xset_train", "xset_val"}
        assert len(content["annotations"]) == 19
        single, two = content["annotations"][0], content["annotations"][-1]
        assert (len(single["keypoint"]), len(two["keypoint"])) == (persons, 2)
        changed = {name for name, kind in notes(out) if kind == "changed"}
        assert changed == (set(files) - {OF_120} if persons == 1 else set())
    assert convert(source, out, "--dataset", "ntu60") == 0
    items = load_annotations(out)["annotations"]
    assert [len(item["keypoint"]) for item in items] == [1] * 18


def test_report_and_skip_list(
    tmp_path: Path, files: Files, out: Path, capsys: Capture
) -> None:
    source = write_folder(
        tmp_path / "raw", {**files, EMPTY: b"2\n0\n0\n", BROKEN: b"2\n1\n"}
    )
    skip = tmp_path / "missing.txt"
    others = "sample\n" * 39
    skip.write_text(f"\ufeffNames:\n\n{BROKEN}.skeleton\n{OF_120}\n{others}")
    assert convert(source, out, "--skip-list", skip) == 0
    error = capsys.readouterr().err
    assert f"{skip}, line 1: Names:: not the name of a sample" in error
    assert f"{skip}: 20 more lines" in error
    reasons = notes(out)
    assert reasons[(EMPTY, "dropped")] == "no frame has a body"
    assert reasons[(BROKEN, "dropped")] == "on the skip list"
    found = [item["frame_dir"] for item in load_annotations(out)["annotations"]]
    assert found == sorted(set(files) - {BROKEN, EMPTY})


def test_broken_file_then_restored(
    tmp_path: Path, files: Files, out: Path, capsys: Capture
) -> None:
    name = "S001C001P002R001A002"
    source = write_folder(tmp_path / "raw", {**files, name: files[name][:1000]})
    path = next(source.rglob(f"{name}.skeleton"))
    out.write_bytes(b"the old one")
    assert convert(source, out, "--chunk-size", 5) == 1
    error = capsys.readouterr().err
    assert f"{path}, line " in error and "1 of 18 files are broken" in error
    assert out.read_bytes() == b"the old one"
    path.write_bytes(files[name])
    own = Path(f"{out}.parts") / "mine.txt"
    own.write_text("")
    assert convert(source, out, "--chunk-size", 5) == 0
    printed = capsys.readouterr().out
    assert "13 files were converted by an earlier run, 5 to go" in printed
    assert len(load_annotations(out)["annotations"]) == 18
    assert list(own.parent.iterdir()) == [own]


def test_changed_file_is_read_again(tmp_path: Path, source: Path, out: Path) -> None:
    """A part made from other content, another protocol or cut short is not used."""
    fresh = tmp_path / "fresh.pkl"

    def make_chunk(protocol: str = "reference") -> Chunk:
        options: Any = (set(), protocol, 256, Path(f"{out}.parts"))
        return conversion.make_chunks(list_files([source]), *options)[0]

    old = make_chunk()
    old.convert()
    path = next(source.glob("*.skeleton"))
    path.write_bytes(make_recording(np.random.default_rng(5), 12))
    assert convert(source, out) == convert(source, fresh) == 0
    assert out.read_bytes() == fresh.read_bytes()
    assert len({old.path, make_chunk().path, make_chunk("clean").path}) == 3
    old.folder.mkdir()
    make_chunk().path.write_bytes(b"\x80\x04")
    assert convert(source, out) == 1


def test_memory_does_not_grow_with_the_data(
    source: Path, files: Files, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[weakref.ref] = []
    counts: list[int] = []
    real_load = Chunk.load

    def load(self: Chunk) -> Any:
        counts.append(sum(array() is not None for array in loaded))
        samples = real_load(self)
        loaded.extend(weakref.ref(item["annotation"]["keypoint"]) for item in samples)
        return samples

    monkeypatch.setattr(Chunk, "load", load)
    assert convert(source, out, "--chunk-size", 2, "--dataset", "ntu120") == 0
    assert len(loaded) >= 18 and max(counts) <= 4  # of two parts
    items = load_annotations(out)["annotations"]
    assert [item["frame_dir"] for item in items] == sorted(files)
    assert all(len(item["keypoint"]) == 2 for item in items)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="not Linux")
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_and_resume(
    workers: int, source: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    whole, out = source.with_name("whole.pkl"), source.with_name("o.pkl")
    parts = Path(f"{out}.parts")
    assert convert(source, whole) == 0
    options = (source, out, "--workers", workers, "--chunk-size", 2)
    real_convert = Chunk.convert

    def count_done() -> int:
        return len(list(parts.glob("*.pkl")))

    def convert_some(self: Chunk) -> list[str]:
        while count_done() >= 3:  # until the kill
            time.sleep(0.01)
        return real_convert(self)

    convert_some.__name__ = "convert"  # by which it is pickled
    with monkeypatch.context() as patch:  # the fork has it
        patch.setattr(Chunk, "convert", convert_some)
        context = multiprocessing.get_context("fork")
        process = context.Process(target=convert, args=options)
        process.start()
        wait_for(lambda: count_done() >= 3)
        task = Path(f"/proc/{process.pid}/task/{process.pid}")
        children = (task / "children").read_text().split()
        process.kill()
        process.join()
    assert len(children) == (workers if workers > 1 else 0)
    wait_for(lambda: not any(map(is_running, children)))  # no worker stays behind
    assert not out.exists()
    done = count_done()
    assert 3 <= done < 9
    capsys.readouterr()
    assert convert(*options) == 0
    assert f"{2 * done} files were converted by an earlier" in capsys.readouterr().out
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()


def test_killed_worker_and_full_disk(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "write_annotations", Mock(side_effect=error))
        assert convert(source, out) == 1
    assert f"error: {out}: {error}" in capsys.readouterr().err
    monkeypatch.setattr(Chunk, "convert", lambda self: os._exit(9))
    Chunk.convert.__name__ = "convert"  # by which it is pickled
    assert convert(source, out, "--workers", 2, "--chunk-size", 4) == 1
    assert "a worker process was killed" in capsys.readouterr().err


def test_sources_and_lists_that_cannot_be_used(
    tmp_path: Path, files: Files, out: Path, capsys: Capture
) -> None:
    for name, content in (
        ("raw", {EMPTY: format_skeleton([[], []])}),
        ("unknown", {f"{OF_120[:-3]}121": b"", "notes": b""}),
        ("link", {}),
        ("120", {OF_120: b"1\n0\n"}),
        ("one", files),
        ("two", files),
    ):
        write_folder(tmp_path / name, content)
    (tmp_path / "link" / "a.skeleton").symlink_to("b")
    (tmp_path / "empty").mkdir()
    (tmp_path / "words").write_text("nothing\n")
    (tmp_path / "names").write_text(OF_120)
    shutil.make_archive(str(tmp_path / "a"), "tar", tmp_path / "raw")
    for source, options, found in (
        ("empty", "", "empty: no file named *.skeleton in it"),
        ("a.tar", "", "a.tar: a tar archive; give the folder"),
        ("unknown", "", "2 unknown file names"),
        ("link", "", "a.skeleton: a link to a file that is not there"),
        ("raw", "", "no frame has a body"),
        ("one", f"--raw {tmp_path}/one {tmp_path}/two", "18 samples are there twice"),
        ("one", f"--raw {tmp_path}/one {tmp_path}/two/../one", "named twice by --raw"),
        ("120", f"--skip-list {tmp_path}/none", "not found"),
        ("120", f"--skip-list {tmp_path}/words", "no line is the name of a sample"),
        ("120", f"--skip-list {tmp_path}/120", "120' is a folder"),
        ("120", f"--skip-list {tmp_path}/names", "on the skip list"),
        ("120", "--dataset ntu60", "no sample of NTU RGB+D 60"),
    ):
        assert convert(tmp_path / source, out, *options.split()) == 1
        assert found in capsys.readouterr().err
        assert not out.exists()


def test_place_of_the_parts_is_taken(source: Path, out: Path, capsys: Capture) -> None:
    taken = Path(f"{out}.parts")
    taken.write_text("mine")
    with pytest.raises(SystemExit):
        convert(source, out)
    assert f"'{taken}' is no folder" in capsys.readouterr().err
    assert taken.read_text() == "mine"
