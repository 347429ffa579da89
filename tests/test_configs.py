"""Every config: it parses, its parts build, and it says only what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mmaction
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TRANSFORMS
from mmcv.transforms import Compose
from mmengine.config import Config

from gap_mmaction.skeletons import get_skeleton
from tests.config_files import (
    BASES,
    LEAVES,
    LOADERS,
    ROOT,
    dataset_of,
    load,
    stream_of,
)

MMACTION2_CONFIG = "stgcnpp_8xb16-joint-u100-80e_ntu60-xsub-keypoint"
PACK = ("PackActionInputs",)


def pipelines(config: Config) -> list[list[dict[str, Any]]]:
    return [dataset_of(config, loader).pipeline for loader in LOADERS]


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: path.stem)
def test_layout_is_the_same_everywhere(path: Path) -> None:
    config = load(path)
    layout = config.model.data_preprocessor.layout
    assert config.model.backbone.graph_cfg.layout == layout
    for loader in LOADERS:
        dataset = dataset_of(config, loader)
        assert dataset.layout == layout
        assert dataset.num_classes == config.model.cls_head.num_classes
    # tests/test_config_runs.py builds and runs the rest, with narrow backbones.
    backbone = MODELS.build(config.model.backbone)
    width = config.model.cls_head.in_channels
    assert getattr(backbone, "out_channels", width) == width


def test_recipe_of_the_paper() -> None:
    for name, classes, frames in (
        *(("ntu60", 60, 64), ("ntu60-xview", 60, 64)),
        *(("ntu120", 120, 64), ("ntu120-xset", 120, 64), ("nwucla", 10, 52)),
    ):
        config = load(ROOT / "configs" / "gap" / f"ctrgcn_{name}.py")
        ucla = name == "nwucla"
        gpus = 1 if ucla else 8
        total = config.train_dataloader.batch_size * gpus
        assert total == config.auto_scale_lr.base_batch_size == (64 if ucla else 200)
        assert config.train_dataloader.dataset.get("times", 1) == (5 if ucla else 1)
        optimizer = config.optim_wrapper.optimizer
        expected = (0.2, 4e-4) if ucla else (0.1, 5e-4)
        assert (optimizer.lr, optimizer.weight_decay) == expected
        assert config.train_cfg.max_epochs == 110
        assert config.param_scheduler[0].end == 5
        assert config.param_scheduler[1].milestones == [90, 100]
        for pipeline in pipelines(config):
            (clip,) = (step["clip_len"] for step in pipeline if "clip_len" in step)
            assert clip == frames
        assert config.model.cls_head.num_classes == classes
        assert config.model.cls_head.init_cfg.std == round((2 / classes) ** 0.5, 3)
        if not ucla:
            train, val, test = pipelines(config)
            assert train[1]["p_interval"] == (0.5, 1.0)
            assert val[1]["p_interval"] == test[1]["p_interval"] == (0.95,)
            assert train[2] == dict(type="RandomRotation3D", max_angle=0.3)


def test_initialization_reaches_the_classifier() -> None:
    config = load(ROOT / "configs" / "gap" / "ctrgcn_ntu60.py")
    head = MODELS.build(config.model.cls_head)
    torch.manual_seed(0)
    head.init_weights()
    assert head.fc.weight.std().item() == pytest.approx(0.183, rel=0.03)


SPLITS = {"ntu60": ("xsub", "xview"), "ntu120": ("xsub", "xset")}


@pytest.mark.parametrize("family", ["", "_mmaction2"])
@pytest.mark.parametrize("data", list(SPLITS))
def test_splits(data: str, family: str) -> None:
    for split in SPLITS[data]:
        suffix = "" if split == "xsub" else f"-{split}"
        name = f"ctrgcn_{data}{suffix}{family}.py"
        config = load(ROOT / "configs" / "gap" / name)
        for loader, part in (("train", "train"), ("val", "val"), ("test", "val")):
            dataset = dataset_of(config, loader)
            assert dataset.split == f"{split}_{part}"
            assert dataset.ann_file == f"data/skeleton/{data}_3d.pkl"
            assert dataset.get("test_mode", False) is (part == "val")


@pytest.mark.parametrize(("leaf", "kind"), [("mmaction2", "3d"), ("2d", "2d")])
def test_recipe_of_mmaction2(leaf: str, kind: str) -> None:
    folder = Path(mmaction.__file__).parent / ".mim" / "configs" / "skeleton"
    theirs = load(folder / "stgcnpp" / f"{MMACTION2_CONFIG}-{kind}.py")
    ours = load(ROOT / "configs" / "gap" / f"ctrgcn_ntu60_{leaf}.py")
    for pipeline, expected in zip(pipelines(ours), pipelines(theirs)):
        # The stream is made by the model, and the dumps have the samples' names.
        steps = [
            [
                # Ours give what mmaction2's give, of persons who are there.
                str(TRANSFORMS.build(step)).removeprefix("Fast").removeprefix("Masked")
                for step in steps
                if step["type"] not in other
            ]
            for steps, other in ((pipeline, PACK), (expected, (*PACK, "GenSkeFeat")))
        ]
        assert steps[0] == steps[1]
    for loader in LOADERS:
        mine, other = ours[f"{loader}_dataloader"], theirs[f"{loader}_dataloader"]
        assert mine.batch_size == other.batch_size
        assert mine.dataset.get("times") == other.dataset.get("times")
        for key in ("ann_file", "split", "test_mode"):
            pair = [dataset_of(config, loader).get(key) for config in (ours, theirs)]
            assert pair[0] == pair[1]
    for key in ("param_scheduler", "train_cfg", "auto_scale_lr"):
        assert ours[key] == theirs[key], key
    assert ours.optim_wrapper.optimizer == theirs.optim_wrapper.optimizer
    # mmaction2's initialization of the classifier.
    assert "init_cfg" not in ours.model.cls_head
    layouts = [model.backbone.graph_cfg.layout for model in (ours.model, theirs.model)]
    assert layouts[0] == layouts[1]


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


@pytest.mark.parametrize(
    "path", [p for p in LEAVES if stream_of(p) == "joint"], ids=lambda path: path.stem
)
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
