"""The configs, and annotations of their formats for tests that run them."""

from __future__ import annotations

import ast
import copy
import functools
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config

from gap_mmaction.datasets.synthetic import make_synthetic
from gap_mmaction.skeletons import STREAMS, get_skeleton

ROOT = Path(__file__).resolve().parents[1]
LEAVES = sorted((ROOT / "configs" / "gap").glob("*.py"))
BASES = sorted((ROOT / "configs" / "_base_").rglob("*.py"))
WEIGHTS = sorted((ROOT / "data" / "weights").glob("*.safetensors"))
LOADERS = ("train", "val", "test")
WIDTH = 8


@functools.cache
def _read(path: Path) -> Config:
    return Config.fromfile(path)


def load(path: Path) -> Config:
    """Read a config, each file once."""
    return copy.deepcopy(_read(path))


def accuracy_of_card(weights: Path) -> float:
    """Read the top-1 accuracy in percent from the card beside a file of weights."""
    card = weights.with_suffix(".md").read_text("utf-8")
    found = re.search(r"^\| accuracy \| top-1 ([\d.]+) %", card, re.M)
    assert found, f"{weights}: its card says no top-1 accuracy"
    return float(found[1])


def stream_of(path: Path) -> str:
    ending = path.stem.rpartition("_")[2]
    return ending if ending in STREAMS else "joint"


def bases_of(path: Path) -> list[Path]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_base_":
            value = ast.literal_eval(node.value)
            names = [value] if isinstance(value, str) else value
            return [(path.parent / name).resolve() for name in names]
    return []


def inherited(path: Path) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for base in bases_of(path):
        merged.update(load(base).to_dict())
    return merged


def assignments(path: Path) -> list[ast.Assign]:
    nodes = [n for n in ast.parse(path.read_text()).body if isinstance(n, ast.Assign)]
    return [node for node in nodes if ast.unparse(node.targets[0]) != "_base_"]


def own(path: Path) -> dict[str, Any]:
    """Evaluate a config's own assignments alone, as MMEngine does."""
    code = ast.Module(list(assignments(path)), type_ignores=[])
    names: dict[str, Any] = {"_base_": Config(inherited(path))}
    exec(compile(code, str(path), "exec"), names)
    return {k: v for k, v in names.items() if not k.startswith("_")}


def dataset_of(config: Config, loader: str) -> Config:
    """Give the data set of a loader, without what repeats it."""
    dataset = config[f"{loader}_dataloader"].dataset
    return dataset.get("dataset", dataset)


def write_annotation(
    path: Path, layout: str, num_classes: int, train: str, val: str, samples: int = 4
) -> None:
    """Writes a small annotation file, as prepare_nwucla.py or mmaction2 has it.

    mmaction2's are float16, not centred, with one or two persons, of whom the second
    is missing in some frames; 2D poses in pixels, with confidence and picture's size.
    """
    skeleton = get_skeleton(layout)
    rng = np.random.default_rng(0)
    source = make_synthetic(num_performers=2, num_train_performers=1, repetitions=1)
    annotations = []
    for i, sample in enumerate(source["annotations"][: 2 * samples]):
        keypoint = sample["keypoint"][:, :, : skeleton.num_joints]
        if layout != "nw-ucla":
            keypoint = keypoint.astype(np.float16)
            if i % 2:
                second = keypoint + np.float16(0.5)
                second[:, :5] = 0
                keypoint = np.concatenate([keypoint, second])
        annotation = {"frame_dir": f"S001C001P001R001A{i:03d}", "keypoint": keypoint}
        annotation["label"] = (37 * i) % num_classes
        annotation["total_frames"] = keypoint.shape[1]
        if skeleton.num_coordinates == 2:
            present = keypoint.any(axis=(2, 3))[..., None]
            pixels = (960 + 300 * keypoint[..., :2]) * present[..., None]
            scores = rng.uniform(0.3, 1.0, pixels.shape[:3]) * present
            annotation.update(
                keypoint=pixels.astype(np.float16),
                keypoint_score=scores.astype(np.float16),
                img_shape=(1080, 1920),
            )
        annotations.append(annotation)
    names = [annotation["frame_dir"] for annotation in annotations]
    split = {train: names[:samples], val: names[samples:]}
    path.write_bytes(pickle.dumps({"split": split, "annotations": annotations}))


def make_small(config: Config, annotation: Path, batch_size: int = 2) -> None:
    """Point a config at a small annotation file of its format, which is written here.

    Small batches, in the process itself, and a training set that is not repeated.
    """
    dataset, tested = (dataset_of(config, loader) for loader in ("train", "val"))
    sizes = (dataset.layout, dataset.num_classes)
    write_annotation(annotation, *sizes, dataset.split, tested.split)
    for loader in LOADERS:
        settings = config[f"{loader}_dataloader"]
        settings.update(batch_size=batch_size, num_workers=0, persistent_workers=False)
        if "times" in settings.dataset:
            settings.dataset.times = 1
        dataset_of(config, loader).ann_file = str(annotation)


def make_narrow(config: Config) -> None:
    """Makes the backbone narrow, and single precision where there is no GPU."""
    config.model.backbone.base_channels = WIDTH
    config.model.cls_head.in_channels = 4 * WIDTH
    if not torch.cuda.is_available():
        config.optim_wrapper.type = "OptimWrapper"
