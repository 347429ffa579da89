"""tools/data/prepare_ntu.py, on made-up recordings and on broken ones."""

from __future__ import annotations

import csv
import errno
import multiprocessing
import os
import tarfile
import time
import weakref
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.datasets.ntu import conversion
from gap_mmaction.datasets.ntu.conversion import Chunk
from gap_mmaction.datasets.ntu.raw_files import list_files
from gap_mmaction.utils.restricted_pickle import load_annotations
from tests.benchmarks import ntu as benchmark
from tests.ntu_recordings import format_skeleton, make_recording
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
        f"S001C{camera:03d}P{performer:03d}R001A{action:03d}": make_recording(
            rng, 3 + camera
        )
        for camera in (1, 2, 3)
        for performer in (2, 3)
        for action in (1, 2, 60)
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


def run(*args: Any) -> int:
    return prepare_ntu.main([str(arg) for arg in args])


def convert(source: Path, out: Path, *args: Any) -> int:
    return run("--raw", source, "--out", out, "--workers", 1, *args)


def notes(out: Path) -> dict[tuple[str, str], str]:
    with open(out.with_suffix(".report.csv"), newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {(row["sample"], row["kind"]): row["reason"] for row in rows}


def test_annotation_file(
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
        assert item["keypoint"].dtype == np.float32
        assert not item["keypoint"][0, 0, 1].any()
    splits = content["split"]
    assert sorted(splits) == ["xsub_train", "xsub_val", "xview_train", "xview_val"]
    assert splits["xsub_train"] == [name for name in names if "P002" in name]
    assert splits["xview_val"] == [name for name in names if "C001" in name]
    printed = capsys.readouterr()
    assert "18/18" in printed.out
    assert f"{out}, xview_val: no sample of 57 of 60 classes, A003, A" in printed.err
    assert {path.name for path in out.parent.iterdir()} == {
        "ntu60.pkl",
        "ntu60.report.csv",
    }
    assert len(notes(out)) == 18  # all are short
    dataset = SafePoseDataset(
        str(out), [], split="xview_val", layout="nturgb+d", num_classes=60
    )
    assert len(dataset) == 6


def test_zips_folders_and_workers_give_the_same(
    tmp_path: Path, source: Path, files: Files
) -> None:
    archives = [tmp_path / "0.zip", tmp_path / "1.zip"]
    for i, path in enumerate(archives):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("nturgb+d_skeletons/", "")
            archive.writestr("__MACOSX/._S001C001P001R001A001.skeleton", "mac")
            for name in sorted(files)[i::2]:
                archive.writestr(f"nturgb+d_skeletons/{name}.skeleton", files[name])
    results: list[bytes] = []
    for raw, workers, size in (([source], 1, 9), (archives, 1, 99), (archives, 2, 4)):
        out = tmp_path / f"{len(results)}.pkl"
        options = ("--workers", workers, "--chunk-size", size)
        assert run("--raw", *raw, "--out", out, *options) == 0
        results.append(out.read_bytes())
    assert results[0] == results[1] == results[2]


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
    content = load_annotations(out)
    assert "xview_train" in content["split"]
    assert len(content["annotations"]) == 18
    assert len(content["annotations"][0]["keypoint"]) == 1


def test_report_and_skip_list(
    tmp_path: Path, files: Files, out: Path, capsys: Capture
) -> None:
    files[EMPTY] = b"2\n0\n0\n"
    files[BROKEN] = b"2\n1\n"
    source = write_folder(tmp_path / "raw", files)
    skip = tmp_path / "missing.txt"
    others = "".join(f"sample {i}\n" for i in range(39))
    skip.write_text(
        f"\ufeffNames:\n\n{BROKEN}.skeleton\nS017C001P001R001A001\n{others}"
    )
    assert convert(source, out, "--skip-list", skip) == 0
    printed = capsys.readouterr()
    assert f"{skip}, line 1: Names:: not the name of a sample" in printed.err
    assert printed.err.count("not the name of a sample") == 20
    assert f"{skip}: 20 more lines" in printed.err
    assert "dropped: 2 samples" in printed.out
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
    assert convert(source, out, "--chunk-size", 5) == 0
    printed = capsys.readouterr().out
    assert "13 files were converted by an earlier run, 5 to go" in printed
    assert len(load_annotations(out)["annotations"]) == 18
    assert not Path(f"{out}.parts").exists()


def test_changed_file_is_read_again(tmp_path: Path, source: Path, out: Path) -> None:
    """A part made from other content, another protocol or cut short is not used."""
    fresh = tmp_path / "fresh.pkl"

    def make_chunk(protocol: str = "reference") -> Chunk:
        files = list_files([source])
        (chunk,) = conversion.make_chunks(
            files, set(), protocol, size=256, folder=Path(f"{out}.parts")
        )
        return chunk

    old = make_chunk()
    old.convert()
    next(source.glob("*.skeleton")).write_bytes(
        make_recording(np.random.default_rng(5), 12)
    )
    assert convert(source, out) == convert(source, fresh) == 0
    assert out.read_bytes() == fresh.read_bytes()
    assert len({old.path, make_chunk().path, make_chunk("clean").path}) == 3
    old.folder.mkdir()
    make_chunk().path.write_bytes(b"\x80\x04")
    assert convert(source, out) == 1


def test_own_files_in_the_folder_of_parts_stay(source: Path, out: Path) -> None:
    parts = Path(f"{out}.parts")
    parts.mkdir()
    (parts / "mine.txt").write_text("")
    assert convert(source, out) == 0
    assert [path.name for path in parts.iterdir()] == ["mine.txt"]


def test_memory_does_not_grow_with_the_data(
    source: Path, files: Files, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 18 samples, with those of rule 9 doubled, two parts are in memory at most."""
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
    assert len(loaded) >= 18
    assert max(counts) <= 4
    items = load_annotations(out)["annotations"]
    assert [item["frame_dir"] for item in items] == sorted(files)
    assert all(len(item["keypoint"]) == 2 for item in items)


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="not Linux")
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_and_resume(
    workers: int,
    tmp_path: Path,
    source: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
) -> None:
    whole, parts = tmp_path / "whole.pkl", Path(f"{out}.parts")
    assert convert(source, whole) == 0
    options = ["--workers", str(workers), "--chunk-size", "2"]
    argv = ["--raw", str(source), "--out", str(out), *options]
    real_convert = Chunk.convert

    def convert_some(self: Chunk) -> list[str]:
        while len(list(parts.glob("*.pkl"))) >= 3:  # until the kill
            time.sleep(0.01)
        return real_convert(self)

    convert_some.__name__ = "convert"  # by which it is pickled
    with monkeypatch.context() as patch:  # the fork has it
        patch.setattr(Chunk, "convert", convert_some)
        context = multiprocessing.get_context("fork")
        process = context.Process(target=prepare_ntu.main, args=(argv,))
        process.start()
        deadline = time.monotonic() + 60
        while len(list(parts.glob("*.pkl"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        process.kill()
        process.join()
    assert len(children.split()) == (workers if workers > 1 else 0)
    while any(is_running(int(child)) for child in children.split()):
        assert time.monotonic() < deadline  # no worker stays behind
        time.sleep(0.05)
    assert not out.exists()
    done = len(list(parts.glob("*.pkl")))
    assert 3 <= done < 9
    capsys.readouterr()
    assert prepare_ntu.main(argv) == 0
    told = f"{2 * done} files were converted by an earlier run, {18 - 2 * done} to go"
    assert told in capsys.readouterr().out
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()


def test_killed_worker(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def convert(self: Chunk) -> list[str]:
        os._exit(9)

    monkeypatch.setattr(Chunk, "convert", convert)
    options = ("--workers", 2, "--chunk-size", 4)
    assert run("--raw", source, "--out", out, *options) == 1
    assert "a worker process was killed" in capsys.readouterr().err


def test_full_disk(
    source: Path, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def write(content: Any, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(conversion, "write_annotations", write)
    assert convert(source, out) == 1
    error = capsys.readouterr().err
    assert f"error: {out}: [Errno {errno.ENOSPC}] No space left on device" in error


def skeleton_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.add(__file__, f"{EMPTY}.skeleton")


def broken_zip(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        data = make_recording(np.random.default_rng(0), 2)
        archive.writestr(f"{BROKEN}.skeleton", data)
    content = bytearray(path.read_bytes())
    content[2000] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "make", "found"),
    [
        ("none", lambda path: None, "neither an archive nor a folder"),
        ("empty", Path.mkdir, "no file named *.skeleton in it"),
        ("text.zip", lambda path: path.write_text("no"), "not a readable zip archive"),
        ("a.tar", skeleton_tar, "a tar archive; give the folder"),
        ("bad.zip", broken_zip, f": {BROKEN}.skeleton: cannot be read from the archi"),
        (
            "unknown",
            lambda path: write_folder(path, {f"{OF_120[:-3]}121": b"", "notes": b""}),
            "2 unknown file names",
        ),
        (
            "link",
            lambda path: write_folder(path, {}).joinpath("a.skeleton").symlink_to("b"),
            "a.skeleton: a link to a file that is not there",
        ),
        (
            "nobody",
            lambda path: write_folder(path, {EMPTY: format_skeleton([[], []])}),
            "no frame has a body",
        ),
    ],
)
def test_sources_that_cannot_be_used(
    name: str,
    make: Callable[[Path], Any],
    found: str,
    tmp_path: Path,
    out: Path,
    capsys: Capture,
) -> None:
    path = tmp_path / name
    make(path)
    assert convert(path, out) == 1
    error = capsys.readouterr().err
    assert found in error
    assert str(path) in error or name == "nobody"
    assert not out.exists()


def test_the_same_twice(
    tmp_path: Path, files: Files, out: Path, capsys: Capture
) -> None:
    folders = [write_folder(tmp_path / str(i), files) for i in range(2)]
    assert run("--raw", *folders, "--out", out) == 1
    error = capsys.readouterr().err
    assert "18 samples are there twice" in error and "and 8 more" in error
    for folder in folders:
        assert str(next(folder.rglob(f"{min(files)}.skeleton"))) in error
    again = folders[1] / ".." / "0"
    assert run("--raw", folders[0], again, "--out", out) == 1
    assert f"{again}: named twice by --raw" in capsys.readouterr().err


def test_nothing_left(tmp_path: Path, out: Path, capsys: Capture) -> None:
    source = write_folder(tmp_path / "120", {OF_120: b"1\n0\n"})
    skip = tmp_path / "skip.txt"
    for content, found in (
        (None, f"skip list '{skip}' not found"),
        ("nothing\n", f"skip list '{skip}': no line is the name of a sample"),
        (OF_120, "on the skip list"),
    ):
        if content is not None:
            skip.write_text(content)
        assert convert(source, out, "--skip-list", skip) == 1
        assert found in capsys.readouterr().err
    assert convert(source, out, "--skip-list", source) == 1
    assert f"skip list '{source}' is a folder" in capsys.readouterr().err
    assert convert(source, out, "--dataset", "ntu60") == 1
    assert "no sample of NTU RGB+D 60" in capsys.readouterr().err


def test_bad_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken.pkl").mkdir()
    Path("o.pkl.parts").write_text("mine")
    for options, found in (
        ("--out o.json", "must end in .pkl"),
        ("--out taken.pkl", "--out is a folder: 'taken.pkl'"),
        ("--out o.pkl", "'o.pkl.parts' is no folder"),
        ("--out n.pkl --workers 0", "--workers must be 1 or more, got 0"),
        ("--out n.pkl --chunk-size -1", "--chunk-size must be 1 or more"),
        ("--out n.pkl --protocol x", "invalid choice"),
    ):
        with pytest.raises(SystemExit):
            run("--raw", ".", *options.split())
        assert found in capsys.readouterr().err
    assert Path("o.pkl.parts").read_text() == "mine"


def test_benchmark(tmp_path: Path, out: Path, capsys: Capture) -> None:
    benchmark.main(["--files", "3", "--frames", "4", "--rounds", "1"])
    assert "3 files of" in capsys.readouterr().out
    folder = tmp_path / "raw"
    benchmark.main(["--files", "5", "--frames", "24", "--write", str(folder)])
    assert convert(folder, out) == 0
    assert len(load_annotations(out)["annotations"]) == 5
