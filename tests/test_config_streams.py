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


def ntu_pipeline(stem: str) -> Compose:
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
def test_raw_and_prepared_annotations_give_the_same(shared: Path, stem: str) -> None:
    pipeline = ntu_pipeline(stem)
    with np.load(shared / "golden" / "ntu_raw" / "expected.npz") as golden:
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
    pipeline = ntu_pipeline(f"ctrgcn_{stem}")
    alone = np.random.default_rng(0).normal(size=(1, 90, 25, 3)).astype(np.float32)
    prepared = np.concatenate([alone, alone if copied else 0 * alone])
    inputs = [pipeline(as_sample(keypoint))["inputs"] for keypoint in (alone, prepared)]
    assert torch.equal(*inputs)
    assert torch.equal(inputs[0][:, 1], inputs[0][:, 0] * copied)


@pytest.mark.parametrize("stream", STREAMS)
def test_input_of_the_model_is_the_references(shared: Path, stream: str) -> None:
    suffix = "" if stream == "joint" else f"_{stream}"
    stem = f"ctrgcn_ntu120{suffix}"
    pipeline = ntu_pipeline(stem)
    # The feeder reads data that are centred; those of the golden file are not.
    assert type(pipeline.transforms[0]).__name__ == "CenterSkeleton"
    pipeline = Compose(pipeline.transforms[1:])
    config = load(ROOT / "configs" / "gap" / f"{stem}.py")
    preprocessor = MODELS.build(config.model.data_preprocessor)
    source = "joint_motion" if stream.endswith("motion") else "joint"
    power = 1 if stream.startswith("bone") else 8
    with np.load(shared / "golden" / "ntu_pipeline.npz") as golden:
        # [N, C, T, V, M] there, [N, M, T, V, C] here.
        inputs, joints = (
            golden[f"feeder/{name}"].transpose(0, 4, 2, 3, 1)
            for name in ("input", source)
        )
        # The public code turns the feeder's joints, or their motion, by a matrix.
        expected = golden[f"gap/ntu_I_minus_A_pow_{power}"] @ joints
    samples = [pipeline(as_sample(keypoint)) for keypoint in inputs]
    data = {
        key: [sample[key] for sample in samples] for key in ("inputs", "data_samples")
    }
    batch = preprocessor(data)["inputs"]
    np.testing.assert_allclose(batch[:, 0], expected, rtol=0, atol=1e-5)
