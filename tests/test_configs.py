"""Every config: it parses, its parts build, and it says only what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import Compose
from mmengine.config import Config

from gap_mmaction.models.recognizers import RecognizerGAP
from gap_mmaction.skeletons import STREAMS, get_skeleton

ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted((ROOT / "configs" / "gap").glob("*.py"))
BASES = sorted((ROOT / "configs" / "_base_").rglob("*.py"))


def load(path: Path) -> Config:
    return Config.fromfile(path)


def pipelines(config: Config) -> list[list[dict[str, Any]]]:
    found = []
    for loader in ("train", "val", "test"):
        dataset = config[f"{loader}_dataloader"].dataset
        found.append(dataset.get("dataset", dataset).pipeline)
    return found


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_leaf_builds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = load(path)
    branch = config.model.text_branch
    prompts = MODELS.build({"type": "PromptBank", **branch.prompts})
    assert len(prompts.labels) == config.model.cls_head.num_classes
    if "features" not in branch:
        # Building CLIP's tower for every leaf would take minutes; one test does.
        branch.features = "data/text_features/nwucla_minilm.safetensors"
    model = MODELS.build(config.model)
    assert isinstance(model, RecognizerGAP)
    # mmaction2's backbones do not say; tests/test_backbone_configs.py runs them.
    width = getattr(model.backbone, "out_channels", model.cls_head.in_channels)
    assert width == model.cls_head.in_channels
    for pipeline in pipelines(config):
        for transform in pipeline:
            TRANSFORMS.build(transform)


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_layout_is_the_same_everywhere(path: Path) -> None:
    config = load(path)
    layout = config.model.data_preprocessor.layout
    assert config.model.backbone.graph_cfg.layout == layout
    for loader in ("train", "val", "test"):
        dataset = config[f"{loader}_dataloader"].dataset
        dataset = dataset.get("dataset", dataset)
        assert dataset.layout == layout
        assert dataset.num_classes == config.model.cls_head.num_classes


@pytest.mark.parametrize("stream", STREAMS[1:])
def test_stream_leaf_differs_in_the_stream_alone(stream: str) -> None:
    joint = load(ROOT / "configs" / "gap" / "ctrgcn_nwucla.py").to_dict()
    other = load(ROOT / "configs" / "gap" / f"ctrgcn_nwucla_{stream}.py").to_dict()
    assert other["model"]["data_preprocessor"]["stream"] == stream
    other["model"]["data_preprocessor"]["stream"] = "joint"
    assert other == joint


def test_recipe_of_the_paper() -> None:
    ntu = load(ROOT / "configs" / "gap" / "ctrgcn_ntu120.py")
    assert ntu.train_dataloader.batch_size * 8 == ntu.auto_scale_lr.base_batch_size
    ucla = load(ROOT / "configs" / "gap" / "ctrgcn_nwucla.py")
    assert ucla.train_dataloader.batch_size == ucla.auto_scale_lr.base_batch_size == 64
    assert ucla.train_dataloader.dataset.times == 5
    for config, lr, decay in ((ntu, 0.1, 5e-4), (ucla, 0.2, 4e-4)):
        optimizer = config.optim_wrapper.optimizer
        assert (optimizer.lr, optimizer.weight_decay) == (lr, decay)
        assert config.train_cfg.max_epochs == 110
        assert config.param_scheduler[1].milestones == [90, 100]


def test_bases_share_no_keys() -> None:
    # Two bases of one folder are alternatives; bases of different folders are mixed.
    keys: dict[str, set[str]] = {}
    for path in BASES:
        kind = path.parent.name if path.parent.name != "_base_" else path.stem
        keys.setdefault(kind, set()).update(load(path).keys())
    kinds = list(keys)
    for i, first in enumerate(kinds):
        for second in kinds[i + 1 :]:
            assert not keys[first] & keys[second], (first, second)


def test_base_names_are_unique() -> None:
    names = [path.name for path in (*LEAVES, *BASES)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_only_training_draws_at_random(path: Path) -> None:
    config = load(path)
    joints = get_skeleton(config.model.data_preprocessor.layout).num_joints
    keypoint = np.random.default_rng(0).normal(size=(1, 150, joints, 3))
    for pipeline, random in zip(pipelines(config), (True, False, False)):
        transforms = Compose([TRANSFORMS.build(transform) for transform in pipeline])
        outputs = []
        for seed in (1, 2):
            np.random.seed(seed)
            sample = {
                "frame_dir": "sample",
                "label": 0,
                "total_frames": 150,
                "start_index": 0,
                "modality": "Pose",
                "keypoint": keypoint.astype(np.float32),
            }
            outputs.append(transforms(sample)["inputs"])
        assert torch.equal(*outputs) is not random
