"""tools/data/prepare_ntu.py, on made-up recordings and on broken ones."""

from __future__ import annotations

import csv
import errno
import importlib.util
import multiprocessing
import os
import time
import weakref
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.datasets.ntu.chunk import Chunk
from gap_mmaction.datasets.ntu.chunk_store import ChunkStore
from gap_mmaction.datasets.ntu.generated import format_skeleton, make_recording
from gap_mmaction.utils.restricted_pickle import load_annotations

FOLDER = Path(__file__).parents[2] / "tools" / "data"


def load_tool(name: str) -> ModuleType:
    """Import a script."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = load_tool("prepare_ntu")
BROKEN = "S001C002P002R001A003"
EMPTY = "S001C003P001R001A002"


@pytest.fixture
def files() -> dict[str, bytes]:
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


def write_folder(path: Path, files: dict[str, bytes]) -> Path:
    """Write the files into a folder, half of them into one below."""
    (path / "more").mkdir(parents=True)
    for i, (name, data) in enumerate(files.items()):
        (path / ("more" if i % 2 else "") / f"{name}.skeleton").write_bytes(data)
    (path / "readme.txt").write_text("no skeleton")
    return path


def run(*args: Any) -> int:
    return TOOL.main([str(arg) for arg in args])


def convert(source: Path, out: Path, *args: Any) -> int:
    return run("--raw", source, "--out", out, "--workers", 1, *args)


def notes(out: Path) -> dict[tuple[str, str], str]:
    with open(out.with_suffix(".report.csv"), newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {(row["sample"], row["kind"]): row["reason"] for row in rows}


def test_annotation_file(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_folder(tmp_path / "raw", files)
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
    assert (
        f"{out}, xview_val: no sample of 57 of 60 classes, A003, A004, A005, "
        in printed.err
    )
    assert "A012, ...; give all archives by --raw" in printed.err
    assert sorted(path.name for path in out.parent.iterdir()) == [
        "ntu60.pkl",
        "ntu60.report.csv",
    ]
    reasons = notes(out)
    assert len(reasons) == 18  # all are short
    two_person = ("S001C001P002R001A060", "suspicious")
    assert reasons[two_person] in (
        "an action of two persons, one actor found",
        "11 frames or fewer",
    )

    dataset = SafePoseDataset(
        str(out), [], split="xview_val", layout="nturgb+d", num_classes=60
    )
    assert len(dataset) == 6


def test_zips_folders_and_workers_give_the_same(
    tmp_path: Path, files: dict[str, bytes]
) -> None:
    folder = write_folder(tmp_path / "raw", files)
    half = len(files) // 2
    archives = []
    for i, part in enumerate((list(files)[:half], list(files)[half:])):
        archives.append(tmp_path / f"{i}.zip")
        with zipfile.ZipFile(archives[-1], "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("nturgb+d_skeletons/", "")
            archive.writestr("__MACOSX/._S001C001P001R001A001.skeleton", "mac")
            for name in part:
                archive.writestr(f"nturgb+d_skeletons/{name}.skeleton", files[name])
    outs = [tmp_path / f"{i}.pkl" for i in range(3)]
    assert convert(folder, outs[0]) == 0
    assert run("--raw", *archives, "--out", outs[1], "--workers", 1) == 0
    options = ("--workers", 2, "--chunk-size", 4)
    assert run("--raw", *archives, "--out", outs[2], *options) == 0
    results = [out.read_bytes() for out in outs]
    assert results[0] == results[1] == results[2]


def test_dataset(tmp_path: Path, files: dict[str, bytes]) -> None:
    files["S018C001P041R001A061"] = make_recording(np.random.default_rng(0), 12, 2)
    source = write_folder(tmp_path / "raw", files)
    out = tmp_path / "o.pkl"
    for protocol, persons in (("reference", 2), ("clean", 1)):
        assert convert(source, out, "--protocol", protocol) == 0
        content = load_annotations(out)
        splits = content["split"]
        assert sorted(splits) == ["xset_train", "xset_val", "xsub_train", "xsub_val"]
        assert len(content["annotations"]) == 19
        single, two = content["annotations"][0], content["annotations"][-1]
        assert len(single["keypoint"]) == persons
        assert len(two["keypoint"]) == 2
        changed = {name for name, kind in notes(out) if kind == "changed"}
        assert changed == (set(files) - {two["frame_dir"]} if persons == 1 else set())
    assert convert(source, out, "--dataset", "ntu60") == 0
    content = load_annotations(out)
    assert "xview_train" in content["split"]
    assert len(content["annotations"]) == 18
    assert len(content["annotations"][0]["keypoint"]) == 1


def test_report_and_skip_list(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    files[EMPTY] = b"2\n0\n0\n"
    files[BROKEN] = b"2\n1\n"
    source = write_folder(tmp_path / "raw", files)
    skip = tmp_path / "missing.txt"
    skip.write_text(
        f"\ufeffNames of samples:\n\n{BROKEN}.skeleton\nS017C001P001R001A001\n"
    )
    out = tmp_path / "o.pkl"
    assert convert(source, out, "--skip-list", skip) == 0
    printed = capsys.readouterr()
    assert "line 1: Names of samples:: not the name of a sample" in printed.err
    assert "dropped: 2 samples" in printed.out
    reasons = notes(out)
    assert reasons[(EMPTY, "dropped")] == "no frame has a body"
    assert reasons[(BROKEN, "dropped")] == "on the skip list"
    found = [item["frame_dir"] for item in load_annotations(out)["annotations"]]
    assert found == sorted(set(files) - {BROKEN, EMPTY})


def test_bad_skip_lists(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_folder(tmp_path / "raw", files)
    skip = tmp_path / "skip.txt"
    assert convert(source, tmp_path / "o.pkl", "--skip-list", skip) == 1
    assert f"skip list '{skip}' not found" in capsys.readouterr().err
    skip.write_text("nothing\n")
    assert convert(source, tmp_path / "o.pkl", "--skip-list", skip) == 1
    assert "no line is the name of a sample" in capsys.readouterr().err
    assert convert(source, tmp_path / "o.pkl", "--skip-list", source) == 1
    assert f"skip list '{source}' is a folder" in capsys.readouterr().err
    skip.write_text("\n".join([BROKEN, *(f"sample {i}" for i in range(40))]))
    assert convert(source, tmp_path / "o.pkl", "--skip-list", skip) == 0
    error = capsys.readouterr().err
    assert error.count("not the name of a sample") == 20
    assert f"{skip}: 20 more lines" in error


def test_broken_file_then_mended(
    tmp_path: Path,
    files: dict[str, bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    name = "S001C001P002R001A002"
    whole = files[name]
    files[name] = whole[: len(whole) // 2]
    source = write_folder(tmp_path / "raw", files)
    path = next(source.rglob(f"{name}.skeleton"))
    out = tmp_path / "o.pkl"
    out.write_bytes(b"the old one")
    assert convert(source, out, "--chunk-size", 5) == 1
    error = capsys.readouterr().err
    assert f"{path}, line " in error
    assert "1 of 18 files are broken" in error
    assert "--skip-list" in error
    assert out.read_bytes() == b"the old one"
    path.write_bytes(whole)
    assert convert(source, out, "--chunk-size", 5) == 0
    assert "13 files were converted by an earlier run, 5 to go" in (
        capsys.readouterr().out
    )
    assert len(load_annotations(out)["annotations"]) == 18
    assert not Path(f"{out}.parts").exists()


def test_changed_file_is_read_again(tmp_path: Path, files: dict[str, bytes]) -> None:
    """A part made from other content, another protocol or cut short is not used."""
    source = write_folder(tmp_path / "raw", files)
    out, fresh = tmp_path / "o.pkl", tmp_path / "fresh.pkl"
    args = TOOL.parse_args(["--raw", str(source), "--out", str(out)])
    store = ChunkStore(f"{out}.parts")
    old = TOOL.make_chunks(TOOL.select_files(args)[0], set(), "reference", 256)
    old[0].convert(store)
    changed = next(source.glob("*.skeleton"))
    changed.write_bytes(make_recording(np.random.default_rng(5), 12))
    assert convert(source, out) == 0
    assert convert(source, fresh) == 0
    assert out.read_bytes() == fresh.read_bytes()
    new = TOOL.make_chunks(TOOL.select_files(args)[0], set(), "reference", 256)
    clean = TOOL.make_chunks(TOOL.select_files(args)[0], set(), "clean", 256)
    assert len({old[0].key, new[0].key, clean[0].key}) == 3

    path = store.path_of(0, new[0].key)
    path.parent.mkdir()
    path.write_bytes(b"\x80\x04")
    assert convert(source, out) == 1


def test_own_files_in_the_folder_of_parts_stay(tmp_path: Path) -> None:
    store = ChunkStore(tmp_path / "parts")
    store.save(0, "ab", [])
    (store.folder / "mine.txt").write_text("")
    store.remove()
    assert [path.name for path in store.folder.iterdir()] == ["mine.txt"]


def test_memory_does_not_grow_with_the_data(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 18 samples, with those of rule 9 doubled, two parts are in memory at most."""
    source = write_folder(tmp_path / "raw", files)
    loaded: list[weakref.ref] = []
    counts: list[int] = []
    real_load = ChunkStore.load

    def load(self: ChunkStore, index: int, key: str) -> Any:
        counts.append(sum(array() is not None for array in loaded))
        samples = real_load(self, index, key)
        loaded.extend(weakref.ref(item["annotation"]["keypoint"]) for item in samples)
        return samples

    monkeypatch.setattr(ChunkStore, "load", load)
    options = ("--chunk-size", 2, "--dataset", "ntu120")
    assert convert(source, tmp_path / "o.pkl", *options) == 0
    assert len(loaded) >= 18
    assert max(counts) <= 4
    monkeypatch.undo()
    content = load_annotations(tmp_path / "o.pkl")
    assert [item["frame_dir"] for item in content["annotations"]] == sorted(files)
    for item in content["annotations"]:
        assert item["keypoint"].shape == (2, item["total_frames"], 25, 3)


def children_of(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in path.read_text().split()]


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="not Linux")
@pytest.mark.parametrize("workers", [1, 2])
def test_kill_and_resume(
    workers: int,
    tmp_path: Path,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source = write_folder(tmp_path / "raw", files)
    out, whole = tmp_path / "o.pkl", tmp_path / "whole.pkl"
    assert convert(source, whole) == 0
    options = ["--workers", str(workers), "--chunk-size", "2"]
    argv = ["--raw", str(source), "--out", str(out), *options]
    parts = Path(f"{out}.parts")
    real_convert = Chunk.convert

    def halting_convert(self: Chunk, store: ChunkStore) -> list[str]:
        while len(list(parts.glob("*.pkl"))) >= 3:  # until the kill
            time.sleep(0.01)
        return real_convert(self, store)

    with monkeypatch.context() as patch:  # the fork has it
        patch.setattr(Chunk, "convert", halting_convert)
        context = multiprocessing.get_context("fork")
        process = context.Process(target=TOOL.main, args=(argv,))
        process.start()
        deadline = time.monotonic() + 60
        while len(list(parts.glob("*.pkl"))) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert process.pid is not None
        children = children_of(process.pid)
        process.kill()
        process.join()
    assert len(children) == (workers if workers > 1 else 0)
    while any(is_running(child) for child in children):  # no worker stays behind
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert not out.exists()
    done = len(list(parts.glob("*.pkl")))
    assert 3 <= done < 9
    capsys.readouterr()
    assert TOOL.main(argv) == 0
    expected = (
        f"{2 * done} files were converted by an earlier run, {18 - 2 * done} to go"
    )
    assert expected in capsys.readouterr().out
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()


def is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_killed_worker(
    tmp_path: Path,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def die(self: Chunk, store: ChunkStore) -> list[str]:
        os._exit(9)

    monkeypatch.setattr(Chunk, "convert", die)
    source = write_folder(tmp_path / "raw", files)
    options = ("--workers", 2, "--chunk-size", 4)
    assert run("--raw", source, "--out", tmp_path / "o.pkl", *options) == 1
    assert "a worker process was killed" in capsys.readouterr().err


def test_unknown_names(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    files["S001C001P001R001A121"] = files["notes"] = b""
    source = write_folder(tmp_path / "raw", files)
    assert convert(source, tmp_path / "o.pkl") == 1
    error = capsys.readouterr().err
    assert "2 unknown file names" in error
    assert "S001C001P001R001A121.skeleton: unknown action 121" in error
    assert "notes.skeleton: not a name of the form" in error


def test_duplicates(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [write_folder(tmp_path / str(i), files) for i in range(2)]
    assert run("--raw", *folders, "--out", tmp_path / "o.pkl") == 1
    error = capsys.readouterr().err
    assert "18 samples are there twice" in error
    assert "and 8 more" in error
    name = min(files)
    for folder in folders:
        assert str(next(folder.rglob(f"{name}.skeleton"))) in error


def test_sources_of_another_kind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.zip").write_text("no archive")
    for source, message in (
        ("none", "neither a folder nor a zip archive"),
        ("empty", "no .skeleton file in it"),
        ("text.zip", "give a folder or a zip archive of .skeleton files, and"),
    ):
        assert convert(tmp_path / source, tmp_path / "o.pkl") == 1
        error = capsys.readouterr().err
        assert message in error
        assert source in error


def test_set_without_one_class(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_recording(np.random.default_rng(0), 3)
    files = {
        f"S001C{camera:03d}P{performer:03d}R001A{action:03d}": data
        for camera in (1, 2)
        for performer in (2, 3)
        for action in range(1, 61)
        if (performer, action) != (3, 13)
    }
    source = write_folder(tmp_path / "raw", files)
    out = tmp_path / "o.pkl"
    assert convert(source, out) == 0
    warnings = capsys.readouterr().err.splitlines()
    assert [line for line in warnings if line.startswith("warning")] == [
        f"warning: {out}, xsub_val: no sample of 1 of 60 classes, A013; give all "
        "archives by --raw, and see the report for samples that were dropped"
    ]


def test_source_named_twice(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_folder(tmp_path / "raw", files)
    again = tmp_path / "more" / ".." / "raw"
    (tmp_path / "more").mkdir()
    assert run("--raw", source, again, "--out", tmp_path / "o.pkl") == 1
    error = capsys.readouterr().err
    assert f"{again}: named twice by --raw; name each source once" in error


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_broken_link(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_folder(tmp_path / "raw", files)
    link = source / f"{EMPTY}.skeleton"
    link.symlink_to(tmp_path / "gone")
    assert convert(source, tmp_path / "o.pkl") == 1
    error = capsys.readouterr().err
    assert f"{link}: a link to a file that is not there; remove it or" in error


def test_places_that_are_taken(
    tmp_path: Path, files: dict[str, bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    """They are found before the work, not after it."""
    source = write_folder(tmp_path / "raw", files)
    out = tmp_path / "o.pkl"
    out.mkdir()
    with pytest.raises(SystemExit):
        convert(source, out)
    assert f"--out is a folder: '{out}'; give the path of a file" in (
        capsys.readouterr().err
    )
    out.rmdir()
    parts = Path(f"{out}.parts")
    parts.write_text("mine")
    with pytest.raises(SystemExit):
        convert(source, out)
    assert f"'{parts}' is no folder" in capsys.readouterr().err
    assert parts.read_text() == "mine"


def test_full_disk(
    tmp_path: Path,
    files: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def save(self: ChunkStore, index: int, key: str, content: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = write_folder(tmp_path / "raw", files)
    out = tmp_path / "o.pkl"
    with monkeypatch.context() as patch:
        patch.setattr(ChunkStore, "save", save)
        assert convert(source, out) == 1
    error = capsys.readouterr().err
    assert f"error: {out}: [Errno {errno.ENOSPC}] No space left on device" in error


def test_broken_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "raw.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr(
            f"{BROKEN}.skeleton", make_recording(np.random.default_rng(0), 2)
        )
    data = bytearray(source.read_bytes())
    data[2000] ^= 1
    source.write_bytes(data)
    assert convert(source, tmp_path / "o.pkl") == 1
    error = capsys.readouterr().err
    assert f"{source}: {BROKEN}.skeleton: cannot be read from the archive" in error
    assert "download the archive again, or unpack it and give the folder" in error


def test_nothing_left(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_folder(tmp_path / "raw", {EMPTY: format_skeleton([[], []])})
    assert convert(source, tmp_path / "o.pkl") == 1
    assert "no frame has a body" in capsys.readouterr().err
    source = write_folder(tmp_path / "120", {"S018C001P041R001A061": b"1\n0\n"})
    skip = tmp_path / "skip.txt"
    skip.write_text("S018C001P041R001A061\n")
    assert convert(source, tmp_path / "o.pkl", "--skip-list", skip) == 1
    assert "on the skip list" in capsys.readouterr().err
    assert convert(source, tmp_path / "o.pkl", "--dataset", "ntu60") == 1
    assert "no sample of NTU RGB+D 60" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "o.json"], "must end in .pkl"),
        (["--out", "o.pkl", "--workers", "0"], "--workers must be 1 or more, got 0"),
        (["--out", "o.pkl", "--chunk-size", "-1"], "--chunk-size must be 1 or more"),
        (["--out", "o.pkl", "--protocol", "x"], "invalid choice"),
    ],
)
def test_bad_options(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        TOOL.main(["--raw", ".", *options])
    assert message in capsys.readouterr().err


def test_golden_files(shared: Path, tmp_path: Path) -> None:
    folder = shared / "golden" / "ntu_raw"
    out = tmp_path / "o.pkl"
    with np.load(folder / "expected.npz") as file:
        expected = dict(file)
    for dataset in ("ntu60", "ntu120"):
        assert convert(folder, out, "--dataset", dataset) == 0
        content = load_annotations(out)
        assert len(content["annotations"]) == len(expected["names"])
        for item in content["annotations"]:
            name, keypoint = item["frame_dir"], item["keypoint"]
            flat = keypoint.transpose(1, 0, 2, 3).reshape(item["total_frames"], -1)
            flat = np.pad(flat, ((0, 0), (0, 150 - flat.shape[1])))
            key = f"translated/{name}"
            if dataset == "ntu120" and not expected[key][:, 75:].any():
                if f"translated120/{name}" not in expected:
                    continue
                key = f"translated120/{name}"
            np.testing.assert_allclose(flat, expected[key], atol=1e-6)


def test_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    benchmark = load_tool("benchmark_ntu")
    assert benchmark.main(["--files", "3", "--frames", "4", "--rounds", "1"]) == 0
    assert "3 files of" in capsys.readouterr().out
    folder = tmp_path / "raw"
    options = ["--files", "5", "--frames", "24", "--write", str(folder)]
    assert benchmark.main(options) == 0
    assert convert(folder, tmp_path / "o.pkl") == 0
    assert len(load_annotations(tmp_path / "o.pkl")["annotations"]) == 5
