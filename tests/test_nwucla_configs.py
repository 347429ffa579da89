"""The NW-UCLA configs end to end: raw skeletons to the model's input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("stream", ["joint", "bone", "joint-motion", "bone-motion"])
@pytest.mark.parametrize("loader", ["val", "test"])
def test_input_of_the_model_is_the_references(
    shared: Path, stream: str, loader: str
) -> None:
    suffix = "" if stream == "joint" else f"_{stream}"
    config = Config.fromfile(ROOT / "configs" / "gap" / f"ctrgcn_nwucla{suffix}.py")
    steps = config[f"{loader}_dataloader"].dataset.pipeline
    pipeline = Compose([TRANSFORMS.build(step) for step in steps])
    preprocessor = MODELS.build(config.model.data_preprocessor)
    golden = np.load(shared / "golden" / "nwucla_pipeline.npz")
    # The public code turns the feeder's joints, or their motion, by a matrix.
    source = "joint_motion" if stream.endswith("motion") else "joint"
    matrix = np.load(shared / "golden" / "ntu_pipeline.npz")[
        f"gap/ucla_I_minus_A_pow_{1 if stream.startswith('bone') else 6}"
    ]
    names = golden["names"]
    samples = []
    for name, label in zip(names, golden["labels"]):
        raw = golden[f"raw/{name}"].astype(np.float32)[None]
        sample = {"keypoint": raw, "label": int(label), "total_frames": raw.shape[1]}
        samples.append(pipeline(sample))
    batch = preprocessor(pseudo_collate(samples))["inputs"]
    assert batch.shape == (len(names), 1, 1, 52, 20, 3)
    for name, output in zip(names, batch[:, 0, 0]):
        expected = matrix @ golden[f"{source}/{name}"]
        np.testing.assert_allclose(output, expected, atol=1e-5)
