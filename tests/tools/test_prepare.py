"""tools/data/prepare.py and pre_normalize.py: made-up files, broken ones, real ones."""

from __future__ import annotations

import io
import json
import pickle
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.datasets.readers import CLIP_SETS
from gap_mmaction.datasets.readers.nwucla import ACTION_IDS
from gap_mmaction.datasets.readers.utkinect import _IN_FILE as UTKINECT_ACTIONS
from gap_mmaction.skeletons import get_skeleton
from gap_mmaction.utils.restricted_pickle import load_annotations, write_annotations
from tools.data import pre_normalize, prepare, prepare_nwucla

Files = dict[str, bytes]
Capture = pytest.CaptureFixture[str]
LAYOUTS = {
    **dict.fromkeys(("nwucla", "utd_mhad", "msr_action3d", "utkinect"), "nw-ucla"),
    "sbu_kinect": "openni-15",
    "jhmdb14": "jhmdb-15",
}
FRAMES = 4


def joints(*shape: int) -> np.ndarray:
    """Makes coordinates, each another one."""
    return np.arange(1, np.prod(shape) + 1).reshape(shape) / 64


def mat(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    savemat(stream, {"d_skel": array}, do_compression=True)
    return stream.getvalue()


def text(table: np.ndarray, delimiter: str = " ") -> bytes:
    stream = io.BytesIO()
    np.savetxt(stream, table, fmt="%g", delimiter=delimiter)
    return stream.getvalue()


def numbered(table: np.ndarray, step: int) -> np.ndarray:
    """Puts frame numbers before the rows, from 10 on."""
    return np.c_[10 + step * np.arange(len(table)), table]


def utkinect_labels(trials: tuple[str, ...], *absent: str) -> bytes:
    """Writes labels: each action has two frames, but for those that are absent."""
    lines = []
    for trial in trials:
        lines.append(trial)
        for i, action in enumerate(UTKINECT_ACTIONS):
            is_absent = f"{trial}_{action}" in absent
            span = "NaN NaN" if is_absent else f"{10 + 4 * i} {12 + 4 * i}"
            lines.append(f"{action}: {span}")
    return "\n".join(lines).encode()


def nwucla(action: int, **change: Any) -> bytes:
    label = ACTION_IDS.index(action) + 1
    content = {"label": label, "skeletons": joints(FRAMES, 20, 3).tolist(), **change}
    return json.dumps(content).encode()


def gt(poses: list[Any], labels: list[Any]) -> bytes:
    return pickle.dumps({"pose": poses, "label": labels}, 3)


def jhmdb_lists() -> Files:
    """Writes the six lists: clip i is tested by split i, clip 0 by none."""
    poses = [joints(FRAMES + i, 15, 2) for i in range(4)]
    files = {}
    for split in (1, 2, 3):
        for part, chosen in (("test", [split]), ("train", [*{0, 1, 2, 3} - {split}])):
            labels = ["catch" if i == 1 else "wave" for i in chosen]
            data = gt([poses[i] for i in chosen], labels)
            files[f"JHMDB/GT_{part}_{split}.pkl"] = data
    return files


TRIALS = ("s01_e01", "s10_e02")
SETS: dict[str, Files] = {
    "nwucla": {
        f"all_sqe/a{action:02d}_s{view:02d}_e00_v{view:02d}.json": nwucla(action)
        for action, view in ((1, 1), (3, 2), (12, 3))
    },
    "utd_mhad": {
        f"Skeleton/{name}_skeleton.mat": mat(joints(20, 3, FRAMES))
        for name in ("a1_s1_t1", "a27_s8_t4", "a10_s7_t2")
    },
    "msr_action3d": {
        f"real/{name}_skeleton3D.txt": text(joints(20 * FRAMES, 4))
        for name in ("a01_s01_e01", "a20_s10_e03", "a10_s09_e02")
    },
    "utkinect": {
        **{
            f"joints/joints_{trial}.txt": text(numbered(joints(20, 60), 2))
            for trial in TRIALS
        },
        "joints/actionLabel.txt": b"not read",
        "joints/actionLabel_modified.txt": utkinect_labels(TRIALS, "s10_e02_carry"),
    },
    "sbu_kinect": {
        f"SBU/{pair}/{name}/skeleton_pos.txt": text(
            numbered(joints(FRAMES, 90), 1), ","
        )
        for pair, name in (("s01s02", "01/001"), ("s06s03", "08/002"))
    },
    "jhmdb14": jhmdb_lists(),
}
# Label, subject, the folds that test it and those whose dev it is.
EXPECTED = [
    ("nwucla", "a03_s02_e00_v02", 2, "2", "", "xview"),
    ("nwucla", "a12_s03_e00_v03", 9, "3", "xview", ""),
    ("utd_mhad", "a10_s7_t2", 9, "7", "", "xsub"),
    ("utd_mhad", "a27_s8_t4", 26, "8", "xsub", ""),
    ("msr_action3d", "a01_s01_e01", 0, "1", "", ""),
    ("msr_action3d", "a20_s10_e03", 19, "10", "xsub", ""),
    ("utkinect", "s10_e02_clapHands", 9, "10", "fold5", "fold4"),
    ("sbu_kinect", "s06s03_08_002", 7, "s06s03", "fold5", "fold4"),
    ("jhmdb14", "wave_00", 13, "", "", ""),
    ("jhmdb14", "wave_01", 13, "", "fold2", "fold1"),
]
# Joints of the first frame of the first clip, as the files have them.
JOINTS = [
    ("nwucla", "head", joints(FRAMES, 20, 3)[0, 3]),
    ("utd_mhad", "left hand", joints(20, 3, FRAMES)[7, :, 0]),
    ("msr_action3d", "head", joints(20 * FRAMES, 4)[19, :3]),
    ("msr_action3d", "left foot", joints(20 * FRAMES, 4)[17, :3]),
    ("utkinect", "head", joints(20, 60)[8, 9:12]),
    ("jhmdb14", "left wrist", joints(FRAMES + 1, 15, 2)[0, 12]),
]


def write(folder: Path, files: Files) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def run(data: str, source: Path, out: Path) -> dict[str, Any]:
    assert prepare.main([data, str(source), str(out)]) == 0
    content: dict[str, Any] = load_annotations(out)
    return content


def fails(data: str, source: Path, capsys: Capture) -> str:
    out = source.parent / "out.pkl"
    out.write_bytes(b"the old one")
    assert prepare.main([data, str(source), str(out)]) == 1
    assert out.read_bytes() == b"the old one"
    return capsys.readouterr().err


@pytest.mark.parametrize("data", SETS)
def test_clips_joints_and_splits(data: str, tmp_path: Path, capsys: Capture) -> None:
    out, clip_set = tmp_path / "out.pkl", CLIP_SETS[data]
    content = run(data, write(tmp_path / "source", SETS[data]), out)
    clips = {clip["frame_dir"]: clip for clip in content["annotations"]}
    assert list(clips) == sorted(clips)
    for _, name, label, subject, tests, tunes in (x for x in EXPECTED if x[0] == data):
        assert clips[name]["label"] == label
        assert clips[name].get("subject", "") == subject
        for fold in clip_set.folds:
            parts = {"train", "dev" if fold == tunes else "fit"}
            assert ({"val"} if fold == tests else parts) == {
                part
                for part in ("train", "val", "fit", "dev")
                if name in content["split"][f"{fold}_{part}"]
            }
    names = get_skeleton(LAYOUTS[data]).joint_names
    first = content["annotations"][0]["keypoint"][0, 0]
    for _, joint, raw in (x for x in JOINTS if x[0] == data):
        np.testing.assert_allclose(first[names.index(joint)], raw, rtol=1e-5)
    options: Any = {"layout": LAYOUTS[data], "num_classes": len(clip_set.classes)}
    for fold in clip_set.folds:
        assert len(SafePoseDataset(str(out), [], f"{fold}_train", **options))
    assert f"full data set has {clip_set.size:,} clips" in capsys.readouterr().err


def test_archives_and_the_command_for_nwucla_give_the_same(tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", SETS["nwucla"])
    for kind in ("zip", "xztar", "gztar"):
        shutil.make_archive(str(tmp_path / "a"), kind, folder)
    outs = [tmp_path / "new" / "alone.pkl"]
    assert prepare_nwucla.main([str(folder), str(outs[0])]) == 0
    for source in ("folder", "a.zip", "a.tar.xz", "a.tar.gz"):
        outs.append(tmp_path / f"{source}.pkl")
        run("nwucla", tmp_path / source, outs[-1])
    assert len({out.read_bytes() for out in outs}) == 1


def test_sbu_is_in_metres_and_upright(tmp_path: Path) -> None:
    table = np.full((3, 90), 0.5)
    table[:, 1] = 0.25  # the head's y, which goes down
    table[:, 87:] = 0.0  # the second person's last joint is not there
    (source,) = (name for name in SETS["sbu_kinect"] if "s01" in name)
    write(tmp_path / "source", {source: text(numbered(table, 1), ",")})
    content = run("sbu_kinect", tmp_path / "source", tmp_path / "out.pkl")
    keypoint = content["annotations"][0]["keypoint"]
    np.testing.assert_allclose(keypoint[0, 0, 0], [0.0, 0.48, 0.64], atol=1e-6)
    np.testing.assert_allclose(keypoint[0, 0, 2], [0.0, 0.0, 0.64], atol=1e-6)
    assert not keypoint[1, :, 14].any()


def test_labels_and_gaps_of_utkinect(tmp_path: Path) -> None:
    files = {name.replace("_modified", ""): x for name, x in SETS["utkinect"].items()}
    files[f"joints/{UTK}"] = drop_row(files[f"joints/{UTK}"])
    source = write(tmp_path / "source", files)
    with pytest.warns(UserWarning, match=f"put {LABELS} beside it"):
        run("utkinect", source, tmp_path / "out.pkl")


def test_frames_of_zeros(tmp_path: Path, capsys: Capture) -> None:
    table = joints(20 * FRAMES, 4)
    table[:20, :3] = 0.0
    files = {MSR: text(table), MSR.replace("e01", "e02"): text(0.0 * table)}
    source = write(tmp_path / "source", files)
    content = run("msr_action3d", source, tmp_path / "out.pkl")
    (clip,) = content["annotations"]
    assert clip["keypoint"].shape == (1, clip["total_frames"], 20, 3) == (1, 3, 20, 3)
    assert content["split"]["xsub_train"] == [clip["frame_dir"]] == ["a01_s01_e01"]
    printed = capsys.readouterr().out
    assert "a01_s01_e01: 1 of 4 frames are all zero" in printed
    assert "a01_s01_e02: 4 of 4 frames are all zero" in printed


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def drop_row(data: bytes) -> bytes:
    return b"\n".join(data.split(b"\n")[:2] + data.split(b"\n")[3:])


def drop_number(data: bytes) -> bytes:
    return re.sub(rb"[ ,][\d.]+\n", b"\n", data, count=1)


UCLA, UTD = "a03_s02_e00_v02.json", "a1_s1_t1_skeleton.mat"
MSR, UTK = "a01_s01_e01_skeleton3D.txt", "joints_s01_e01.txt"
SBU, GT = "s01s02/01/001/skeleton_pos.txt", "GT_test_2.pkl"
LABELS = "actionLabel_modified.txt"


@pytest.mark.parametrize(
    ("data", "file", "change", "message"),
    [
        ("nwucla", UCLA, b"{", "not json"),
        ("nwucla", UCLA, b"[" * 10**5, "nested too deeply"),
        ("nwucla", UCLA, b'{"label": 3}', "'label' and 'skeletons', found"),
        ("nwucla", UCLA, nwucla(3, label=4), "'label' is 4.*means 3"),
        *(
            ("nwucla", UCLA, nwucla(3, skeletons=skeletons), message)
            for skeletons, message in (
                ([], "no frames"),
                ([[[0, 1, 2]] * 20, [[0, 1, 2]] * 19], "ragged"),
                ([[[0, 1]] * 20], r"shape \[1, 20, 2\]"),
                ([[[0.0, 1.0, "2.0"]] * 20], "type <U"),
                ([[[0.0, 1.0, 1e60]] * 20], "not finite at .0, 0, 2."),
            )
        ),
        ("utd_mhad", UTD, cut, "not a readable MATLAB file"),
        ("utd_mhad", UTD, mat(joints(20, 2, 4)), r"shape \[20, 2, 4\]"),
        ("msr_action3d", MSR, drop_row, "79 rows are 3 frames of 20 joints and 19"),
        ("msr_action3d", MSR, drop_number, "columns changed from 3 to 4"),
        ("msr_action3d", MSR, b"", "it is empty"),
        ("utkinect", UTK, drop_number, "expected 61 numbers"),
        ("utkinect", UTK, text(numbered(joints(3, 60), 500)), "no frames from 10 to"),
        ("utkinect", LABELS, drop_row, "s01_e01 needs a line such as"),
        ("utkinect", LABELS, cut, "does not name it"),
        ("utkinect", LABELS, utkinect_labels(("s11_e01",)), "subjects 1 to 10"),
        ("utkinect", LABELS, utkinect_labels(("s02_e01",)), "s02_e01.txt is absent"),
        ("sbu_kinect", SBU, drop_row, "frame 13 comes after frame 11"),
        ("jhmdb14", GT, cut, "refused or unreadable|not a pickle"),
        ("jhmdb14", GT, pickle.dumps(Path("x")), "could run code"),
        ("jhmdb14", GT, gt([], [1]), "0 poses, but 1"),
        ("jhmdb14", GT, gt([joints(3, 15, 2)], ["kick"]), "unknown class 'kick'"),
        ("jhmdb14", GT, gt([joints(3, 15, 3)], ["wave"]), "expected floats"),
        # Files too many, or absent.
        ("nwucla", "a07_s01_e00_v01.json", b"", "unknown action 7"),
        ("nwucla", f"old/{UCLA}", nwucla(3), "a03_s02_e00_v02 is there twice"),
        ("msr_action3d", "a00_s01_e01_skeleton3D.txt", b"", "unknown action 0"),
        ("msr_action3d", "b_skeleton3D.txt", b"", "not of the form aAA_sSS_eEE"),
        ("sbu_kinect", f"s01s05/{SBU[7:]}", b"", "unknown subject s01s05"),
        ("utkinect", f"old/{UTK}", b"", "there is also"),
        ("utkinect", "actionLabel", None, "no actionLabel_modified.txt or actionLa"),
        ("jhmdb14", "GT_train_3.pkl", None, "GT_train_3.pkl is not beside"),
    ],
)
def test_broken_file_is_named(
    data: str, file: str, change: Any, message: str, tmp_path: Path, capsys: Capture
) -> None:
    files = dict(SETS[data])
    if change is None:
        files = {name: files[name] for name in files if file not in name}
    else:
        name = next((name for name in files if name.endswith(file)), file)
        files[name] = change(files[name]) if callable(change) else change
    error = fails(data, write(tmp_path / "source", files), capsys)
    assert file in error and re.search(message, error)


def test_broken_archives(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = text(np.random.default_rng(0).normal(size=(20 * 50, 4)))
    folder = write(tmp_path / "source", {MSR: noise, MSR.replace("e01", "e02"): noise})
    for kind in ("tar", "xztar", "gztar"):
        source = Path(shutil.make_archive(str(tmp_path / "a"), kind, folder))
        source.write_bytes(cut(source.read_bytes()))
        error = fails("msr_action3d", source, capsys)
        assert f"{source}: not readable as a tar archive" in error
    source = tmp_path / "all_sqe.zip"
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(source, "w", method) as archive:
            archive.writestr(UCLA, nwucla(3))
        data = bytearray(source.read_bytes())
        data[60:90] = b"\xff" * 30
        source.write_bytes(data)
        assert f"{source}: {UCLA}: cannot be read" in fails("nwucla", source, capsys)
    with monkeypatch.context() as patch:
        patch.setattr("gap_mmaction.datasets.source.MOST_BYTES", 10**3)
        assert "bytes unpacked" in fails("nwucla", source, capsys)  # fills the memory
    source.write_bytes(cut(bytes(data)))
    assert "not a readable zip archive" in fails("nwucla", source, capsys)
    error = fails("nwucla", tmp_path / "none", capsys)
    assert "none: neither an archive nor a folder" in error


# Clips of the first fold, as the data sets' READMEs and papers have them.
@pytest.mark.real_data
@pytest.mark.parametrize(
    ("data", "train", "val"),
    [
        ("nw-ucla", 1020, 464),
        ("utd_mhad", 431, 430),
        ("msr_action3d", 291, 275),
        ("utkinect", 159, 40),
        ("sbu_kinect", 227, 55),
        ("jhmdb14", 433, 176),
    ],
)
def test_the_real_files(
    data: str, train: int, val: int, shared: Path, tmp_path: Path
) -> None:
    (source,) = (shared / "data" / data).glob("*.[tz]*")
    data = data.replace("-", "")
    content = run(data, source, tmp_path / "out.pkl")
    clip_set, split = CLIP_SETS[data], content["split"]
    labels = {clip["label"] for clip in content["annotations"]}
    assert labels == set(range(len(clip_set.classes)))
    assert len(content["annotations"]) == clip_set.size
    first = next(iter(clip_set.folds))
    assert (len(split[f"{first}_train"]), len(split[f"{first}_val"])) == (train, val)
    for fold in clip_set.folds:
        parts = [set(split[f"{fold}_{part}"]) for part in ("fit", "dev", "val")]
        assert sum(map(len, parts)) == len(set().union(*parts)) == clip_set.size
        assert all(parts)
    # The head is above the feet; y goes down in pictures alone.
    keypoint = np.concatenate([c["keypoint"][0] for c in content["annotations"]])
    names, is_2d = get_skeleton(LAYOUTS[data]).joint_names, data == "jhmdb14"
    head, foot = (
        keypoint[:, [part in name for name in names], 1].mean()
        for part in (("face", "ankle") if is_2d else ("head", "foot"))
    )
    assert 0.5 < (foot - head if is_2d else head - foot) < 1.8
    if data == "nwucla":
        golden = json.loads((shared / "golden" / "nwucla_splits.json").read_text())
        clips = {clip["frame_dir"]: clip for clip in content["annotations"]}
        for part in ("train", "val"):
            names = golden[f"{part}_names"]
            assert split[f"xview_{part}"] == sorted(names)
            for key, values in (("label", "labels"), ("total_frames", "lengths")):
                assert [clips[n][key] for n in names] == golden[f"{part}_{values}"]


def _annotations() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    items: list[dict[str, Any]] = []
    for i, (persons, frames) in enumerate(((1, 5), (2, 7), (2, 4), (1, 3))):
        keypoint = rng.normal(size=(persons, frames, 25, 3)).astype(np.float32)
        item = {"frame_dir": f"S00{i}", "label": i, "total_frames": frames}
        items.append({**item, "keypoint": keypoint})
    items[1]["keypoint"][0, 2:] = 0  # the second person stays longer
    items[3]["keypoint"][:] = 0  # the data set refuses what is empty
    return {"split": {"train": ["S000", "S001", "S002"]}, "annotations": items}


def _samples(path: Path, **kwargs: Any) -> list[dict[str, Any]]:
    pipeline: list[Any] = [dict(type="FastPreNormalize3D", **kwargs)]
    dataset = SafePoseDataset(str(path), pipeline, split="train")
    return [dataset[i] for i in range(len(dataset))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pre_normalized_in_the_pipeline(tmp_path: Path, dtype: str) -> None:
    source, out = tmp_path / "raw.pkl", tmp_path / "out.pkl"
    write_annotations(_annotations(), source)
    assert pre_normalize.main([str(source), str(out), "--dtype", dtype]) == 0
    twice = tmp_path / "twice.pkl"  # which changes nothing
    assert pre_normalize.main([str(out), str(twice), "--dtype", dtype]) == 0
    assert twice.read_bytes() == out.read_bytes()
    for before, after in zip(_samples(source), _samples(out)):
        assert after["total_frames"] == before["total_frames"]
        assert after["keypoint"].dtype == dtype
        assert np.array_equal(after["keypoint"], before["keypoint"].astype(dtype))
    assert load_annotations(out)["split"] == load_annotations(source)["split"]
    assert pre_normalize.main([str(source), str(out), "--no-align-spine"]) == 0
    expected, found = (_samples(path, align_spine=False)[0] for path in (source, out))
    np.testing.assert_allclose(found["keypoint"], expected["keypoint"], rtol=1e-6)
    with pytest.raises(ValueError, match=r"before with .*align_spine.*False"):
        _samples(out)


def test_pre_normalize_errors(tmp_path: Path, capsys: Capture) -> None:
    source, out = tmp_path / "bad.pkl", tmp_path / "out.pkl"
    content = _annotations()
    content["annotations"][3]["keypoint"] = np.ones((1, 5, 25, 2))
    for bad, found in (
        (content, r"'S003'.*\[M, T, V, 3\]"),
        ({"split": {}}, "holds no list of annotations"),
    ):
        write_annotations(bad, source)
        assert pre_normalize.main([str(source), str(out)]) == 1
        assert re.search(rf"bad\.pkl: .*{found}", capsys.readouterr().err)
        assert not out.exists()
