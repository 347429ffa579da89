"""A stream is one setting, and it reaches every loader; so do the names of samples."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate
from mmengine.runner import Runner

from gap_mmaction.models.data_preprocessors.streams import to_stream
from gap_mmaction.skeletons import STREAMS, get_skeleton
from tests.config_files import (
    LEAVES,
    LOADERS,
    ROOT,
    dataset_of,
    joint_leaf,
    load,
    make_small,
    stream_of,
)


def families() -> list[Path]:
    """One leaf of each set of loaders that differ."""
    found: dict[str, Path] = {}
    for path in LEAVES:
        config = load(path)
        loaders = [config[f"{loader}_dataloader"] for loader in LOADERS]
        key = json.dumps([loader.to_dict() for loader in loaders])
        if stream_of(path) == "joint":
            found.setdefault(key, path)
    return list(found.values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("annotations")


@functools.cache
def first_batch(path: Path, loader: str, folder: Path) -> dict[str, Any]:
    config = load(path)
    make_small(config, folder / f"{path.stem}.pkl")
    np.random.seed(0)
    batch: dict[str, Any] = next(
        iter(Runner.build_dataloader(config[f"{loader}_dataloader"], seed=0))
    )
    return batch


@pytest.mark.parametrize(
    "path",
    [path for path in LEAVES if stream_of(path) != "joint"],
    ids=lambda path: path.stem,
)
def test_stream_leaf_differs_in_the_stream_alone(path: Path) -> None:
    stream = stream_of(path)
    joint, other = load(joint_leaf(path)), load(path)
    assert joint.model.data_preprocessor.stream == "joint"
    assert other.model.data_preprocessor.stream == stream
    joint.merge_from_dict({"model.data_preprocessor.stream": stream})
    assert other.to_dict() == joint.to_dict()


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize("path", families(), ids=lambda path: path.stem)
def test_stream_reaches_every_batch(path: Path, loader: str, folder: Path) -> None:
    batch = first_batch(path, loader, folder)
    config = load(path)
    skeleton = get_skeleton(dataset_of(config, loader).layout)
    inputs = {}
    for stream in STREAMS:
        config.merge_from_dict({"model.data_preprocessor.stream": stream})
        preprocessor = MODELS.build(config.model.data_preprocessor)
        inputs[stream] = preprocessor(dict(batch), loader == "train")["inputs"]
        expected = to_stream(
            torch.stack(batch["inputs"]),
            stream,
            skeleton.bones,
            preprocessor.matrix,
            skeleton.num_coordinates,
        )
        torch.testing.assert_close(inputs[stream], expected)
    for stream in STREAMS[1:]:
        assert not torch.allclose(inputs[stream], inputs["joint"], atol=1e-3)
    pipeline = dataset_of(config, loader).pipeline
    sampler = next(step for step in pipeline if "clip_len" in step)
    shape = (2, sampler.get("num_clips", 1), config.model.backbone.get("num_person", 2))
    assert inputs["joint"].shape[:4] == (*shape, sampler.clip_len)
    assert inputs["joint"].isfinite().all()


@pytest.mark.parametrize("path", families(), ids=lambda path: path.stem)
def test_scores_know_the_names_of_their_samples(path: Path, folder: Path) -> None:
    for loader in ("val", "test"):
        samples = first_batch(path, loader, folder)["data_samples"]
        # As DumpResults writes it.
        names = [sample.to_dict()["frame_dir"] for sample in samples]
        assert names == ["S001C001P001R001A004", "S001C001P001R001A005"]


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
