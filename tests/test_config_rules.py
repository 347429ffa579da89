"""What a newcomer may rely on: nothing is copied, a stream is one setting."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate

from gap_mmaction.skeletons import STREAMS
from gap_mmaction.utils.safetensors_checkpoint import load_from_safetensors
from tests.config_files import (
    BASES,
    LEAVES,
    ROOT,
    WEIGHTS,
    accuracy_of_card,
    bases_of,
    inherited,
    load,
    own,
    stream_of,
)

STEMS = sorted(path.stem for path in LEAVES)
FOLDER = ROOT / "configs" / "gap"

# Of the paper's Tables 2 to 4 and 1d: leaves, and the sum of their top-1 %.
NUM_PAPER, SUM_PAPER = 23, 2044.8


def test_no_setting_stands_twice() -> None:
    places: dict[str, list[str]] = {}
    for path in (*LEAVES, *BASES):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Call, ast.List, ast.Tuple, ast.Dict)):
                # Short ones may be; and lists of bases are what leaves are made of.
                text = ast.unparse(node)
                if len(text) > 100 and "_base_/" not in text:
                    places.setdefault(text, []).append(path.name)
    assert places
    assert not {text: found for text, found in places.items() if len(found) > 1}


def test_bases_are_all_used() -> None:
    used = {base for path in (*LEAVES, *BASES) for base in bases_of(path)}
    # One is for configs of one's own, see docs/small_data.md.
    small = ROOT / "configs/_base_/schedules/gap_small_data.py"
    assert set(BASES) - used == {small}


def repeated(mine: Any, theirs: Any, where: str) -> Iterator[str]:
    if isinstance(mine, dict) and isinstance(theirs, dict):
        if not mine.get("_delete_"):
            for key in mine.keys() & theirs.keys():
                yield from repeated(mine[key], theirs[key], f"{where}.{key}")
    elif mine == theirs:
        yield f"{where} = {mine!r}"


@pytest.mark.parametrize(
    "path", [path for path in (*LEAVES, *BASES) if bases_of(path)], ids=lambda p: p.stem
)
def test_says_only_what_differs(path: Path) -> None:
    assert not list(repeated(own(path), inherited(path), path.stem))


def test_every_leaf_is_in_metafile_and_readme() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    # Config, data set, stream, family, and the paper's figure.
    rows = {
        match[1]: [cell.strip() for cell in match[0].strip("|\n").split("|")]
        for match in re.finditer(r"^\| *\[`(\S+)`\]\(\1\.py\).*$", page, re.M)
    }
    assert [rows[path.stem][2] for path in LEAVES] == list(map(stream_of, LEAVES))
    paper = {name: float(row[4]) for name, row in rows.items() if row[4]}
    assert len(paper) == NUM_PAPER and sum(paper.values()) == pytest.approx(SUM_PAPER)
    index = yaml.safe_load((ROOT / "model-index.yml").read_text("utf-8"))
    metafile = yaml.safe_load((FOLDER / "metafile.yml").read_text("utf-8"))
    assert "configs/gap/metafile.yml" in index["Import"]
    (collection,) = metafile["Collections"]
    # `mim` resolves it from the root.
    assert (ROOT / collection["README"]).is_file()
    models = metafile["Models"]
    shipped = {}
    assert sorted(model["Name"] for model in models) == sorted(rows) == STEMS
    for model in models:
        assert model["Config"] == f"configs/gap/{model['Name']}.py"
        assert model["In Collection"] == collection["Name"]
        figures, expected = {}, {}
        for result in model.get("Results", ()):
            figures.update(result["Metrics"])
        if model["Name"] in paper:
            expected["Top 1 Accuracy (paper)"] = paper[model["Name"]]
        if "Weights" in model:
            # Of ours nothing stands there but what can be measured again.
            shipped[model["Weights"]] = model["Config"]
            figure = accuracy_of_card(ROOT / model["Weights"])
            expected["Top 1 Accuracy (these weights)"] = figure
        assert figures == expected
    assert shipped == {
        f"data/weights/{path.name}": load_from_safetensors(path)["meta"]["config"]
        for path in WEIGHTS
    }


@pytest.mark.parametrize(
    "path",
    [path for path in LEAVES if stream_of(path) != "joint"],
    ids=lambda path: path.stem,
)
def test_stream_leaf_differs_in_the_stream_alone(path: Path) -> None:
    stream = stream_of(path)
    name = path.stem.removesuffix(f"_{stream}")
    joint, other = load(path.with_stem(name)), load(path)
    assert joint.model.data_preprocessor.stream == "joint"
    assert other.model.data_preprocessor.stream == stream
    joint.merge_from_dict({"model.data_preprocessor.stream": stream})
    assert other.to_dict() == joint.to_dict()


def val_pipeline(stem: str) -> Compose:
    steps = load(ROOT / "configs" / "gap" / f"{stem}.py").val_dataloader.dataset
    return Compose([TRANSFORMS.build(step) for step in steps.pipeline])


def as_sample(keypoint: np.ndarray) -> dict[str, Any]:
    return {
        "frame_dir": "S001C001P001R001A001",
        "label": 0,
        "total_frames": keypoint.shape[1],
        "keypoint": keypoint,
    }


@pytest.mark.parametrize("stem", ["ctrgcn_ntu60", "ctrgcn_ntu120"])
def test_raw_and_prepared_give_the_same(golden_folder: Path, stem: str) -> None:
    pipeline = val_pipeline(stem)
    with np.load(golden_folder / "ntu_raw" / "expected.npz") as golden:
        for name, persons in zip(golden["names"], golden["num_bodies"]):
            raw, prepared = (
                golden[f"{kind}/{name}"].reshape(-1, 2, 25, 3).swapaxes(0, 1)
                for kind in ("denoised", "translated")
            )
            outputs = [
                pipeline(as_sample(keypoint[:persons]))["inputs"]
                for keypoint in (raw, prepared)
            ]
            assert outputs[0].shape == (1, 2, 64, 25, 3)
            torch.testing.assert_close(*outputs, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("stem", "copied"), [("ntu60", False), ("ntu120", True)])
def test_a_person_who_is_alone(stem: str, copied: bool) -> None:
    """As in the files of tools/data/prepare_ntu.py, and in mmaction2's."""
    pipeline = val_pipeline(f"ctrgcn_{stem}")
    alone = np.random.default_rng(0).normal(size=(1, 90, 25, 3)).astype(np.float32)
    prepared = np.concatenate([alone, alone if copied else 0 * alone])
    inputs = [pipeline(as_sample(keypoint))["inputs"] for keypoint in (alone, prepared)]
    assert torch.equal(*inputs)
    assert torch.equal(inputs[0][:, 1], inputs[0][:, 0] * copied)


def model_input(stem: str, keypoints: list[np.ndarray], skip: int = 0) -> np.ndarray:
    """Returns what reaches the backbone, of the steps of a pipeline after the first."""
    pipeline = val_pipeline(stem)
    pipeline = Compose(pipeline.transforms[skip:])
    samples = [pipeline(as_sample(keypoint)) for keypoint in keypoints]
    config = load(ROOT / "configs" / "gap" / f"{stem}.py")
    preprocessor = MODELS.build(config.model.data_preprocessor)
    inputs: torch.Tensor = preprocessor(pseudo_collate(samples))["inputs"]
    return inputs[:, 0].numpy()


def suffix_and_source(stream: str) -> tuple[str, str, bool]:
    """Returns the ending of a leaf's name, and what the public code turns for it.

    That code turns the feeder's joints, or their motion, by a power of a matrix, the
    first one for bones.
    """
    suffix = "" if stream == "joint" else f"_{stream}"
    source = "joint_motion" if stream.endswith("motion") else "joint"
    return suffix, source, stream.startswith("bone")


@pytest.mark.parametrize("stream", STREAMS)
def test_ntu_input_is_the_references(golden_folder: Path, stream: str) -> None:
    suffix, source, is_bone = suffix_and_source(stream)
    with np.load(golden_folder / "ntu_pipeline.npz") as golden:
        # [N, C, T, V, M] there, [N, M, T, V, C] here.
        inputs, joints = (
            golden[f"feeder/{name}"].transpose(0, 4, 2, 3, 1)
            for name in ("input", source)
        )
        expected = golden[f"gap/ntu_I_minus_A_pow_{1 if is_bone else 8}"] @ joints
    # The feeder reads data that are centred, by the first step; these are not.
    found = model_input(f"ctrgcn_ntu120{suffix}", list(inputs), skip=1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("stream", STREAMS)
def test_nwucla_input_is_the_references(shared: Path, stream: str) -> None:
    suffix, source, is_bone = suffix_and_source(stream)
    with np.load(shared / "golden" / "ntu_pipeline.npz") as matrices:
        matrix = matrices[f"gap/ucla_I_minus_A_pow_{1 if is_bone else 6}"]
    with np.load(shared / "golden" / "nwucla_pipeline.npz") as golden:
        names = golden["names"]
        raw = [golden[f"raw/{name}"].astype(np.float32)[None] for name in names]
        expected = [matrix @ golden[f"{source}/{name}"] for name in names]
    found = model_input(f"ctrgcn_nwucla{suffix}", raw)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-5)
