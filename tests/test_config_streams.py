"""A stream is one setting, and what reaches the backbone is the references'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import Compose
from mmengine.dataset import pseudo_collate

from gap_mmaction.skeletons import STREAMS
from tests.config_files import (
    LEAVES,
    ROOT,
    joint_leaf,
    load,
    stream_of,
)


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
