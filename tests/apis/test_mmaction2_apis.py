"""mmaction2's own functions for inference take our configs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmaction.apis import (
    inference_recognizer,
    inference_skeleton,
    init_recognizer,
)
from mmaction.registry import MODELS
from mmengine.config import Config

from gap_mmaction.apis import SkeletonInferencer
from tests.apis.small_model import make_config, make_model, make_sequences

HEIGHT, WIDTH = 256, 512


def make_poses(frames: int) -> list[dict[str, np.ndarray]]:
    """Results of mmpose; numbers that float16, which mmaction2 takes, has as well."""
    rng = np.random.default_rng(0)
    return [
        {
            "keypoints": rng.integers(0, HEIGHT, (count, 17, 2)).astype(np.float32),
            "keypoint_scores": rng.integers(1, 9, (count, 17)).astype(np.float32) / 8,
        }
        for count in np.resize([1, 2, 1], frames)
    ]


def test_2d(tmp_path: Path) -> None:
    config = make_config(tmp_path, "ctrgcn_ntu60_2d")
    # Ten clips of 100 frames take a while.
    sampler = config.test_dataloader.dataset.pipeline[1]
    sampler.update(clip_len=8, num_clips=2)
    checkpoint = tmp_path / "epoch_1.pth"
    make_model(config, checkpoint)
    poses = make_poses(12)

    model = init_recognizer(config, str(checkpoint), device="cpu")
    sample = inference_skeleton(model, poses, (HEIGHT, WIDTH))
    scores = sample.pred_score.numpy()
    assert scores.shape == (60,)
    assert scores.sum() == pytest.approx(1)
    assert "test_pipeline" not in config

    inferencer = SkeletonInferencer(config, checkpoint)
    (result,) = inferencer(poses, img_shape=(HEIGHT, WIDTH))
    np.testing.assert_allclose(result.scores, scores, rtol=0, atol=1e-6)
    assert result.label == sample.pred_label.item()
    with pytest.raises(ValueError, match="input 0: the size of the picture"):
        inferencer(poses)


def test_3d(tmp_path: Path) -> None:
    config = make_config(tmp_path)
    checkpoint = tmp_path / "epoch_1.pth"
    make_model(config, checkpoint)
    (keypoint,) = make_sequences(1)
    annotation = {
        "frame_dir": "mine",
        "label": -1,
        "total_frames": keypoint.shape[1],
        "keypoint": keypoint,
    }
    (result,) = SkeletonInferencer(config, checkpoint)(dict(annotation))
    # As a file too, as most users have it.
    path = tmp_path / "config.py"
    config.dump(path)
    model = init_recognizer(str(path), str(checkpoint), device="cpu")
    sample = inference_recognizer(model, dict(annotation))
    np.testing.assert_allclose(sample.pred_score, result.scores, rtol=0, atol=1e-6)


def test_pipeline_of_the_config(tmp_path: Path) -> None:
    settings = make_config(tmp_path)
    settings.model.text_branch = None
    model: Any = MODELS.build(settings.model)
    assert model.cfg is None
    model.cfg = settings
    steps = settings.test_dataloader.dataset.pipeline
    # As the data set has them: some know its layout.
    expected = [{**steps[0], "layout": "nw-ucla"}, *steps[1:]]
    assert model.cfg.test_pipeline == expected
    assert model.cfg.model == settings.model
    # One of its own stays, and a config may have none.
    own = Config({"test_pipeline": [{"type": "PoseDecode"}]})
    model.cfg = own
    assert model.cfg is own
    model.cfg = Config({"a": 1})
    assert "test_pipeline" not in model.cfg
