"""tools/publish_model.py: what is left of a checkpoint, its name, and its card."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import CheckpointLoader

from tests.evaluation.files import dump, epochs, write_run
from tests.models.text_common import write_descriptions
from tools.publish_model import main

STATE = {
    "backbone.A": torch.ones(2),
    "backbone.data_bn.running_mean": torch.zeros(4),
    "cls_head.fc.bias": torch.zeros(3),
    "text_branch.head.weight": torch.ones(3),
}
CONFIG = """
model = dict(
    type='RecognizerGAP',
    backbone=dict(type='CTRGCN', variant='authors', graph_cfg=dict(layout='nw-ucla')),
    cls_head=dict(type='GCNHead', num_classes=3),
    data_preprocessor=dict(
        type='SkeletonDataPreprocessor', layout='nw-ucla', stream='bone'),
    text_branch=dict(type='TextBranch'))
train_dataloader = dict(dataset=dict(type='RepeatDataset', times=5, dataset=dict(
    ann_file='/home/me/data/nwucla.pkl', split='xview_train')))
work_dir = 'D:\\\\runs\\\\gap'
load_from = 'https://example.org/a.pth'
danger = __import__('os').system('true')
"""


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    meta = {"epoch": 2, "cfg": CONFIG, "dataset_meta": {"classes": ("sit", "walk")}}
    meta["mmengine_version"] = "0.10.7" + "0b3e6e6f" * 5  # with a commit
    content = {
        **dict(state_dict=STATE, meta=meta, optimizer={}, message_hub={}),
        "ema_state_dict": {key: value + 1 for key, value in STATE.items()},
    }
    torch.save(content, tmp_path / "epoch_2.pth")
    return tmp_path / "epoch_2.pth"


def published(folder: Path, suffix: str) -> tuple[Path, dict[str, Any], str]:
    (file,) = folder.glob(f"out-*{suffix}")
    content = CheckpointLoader.load_checkpoint(str(file), map_location="cpu")
    return file, content, file.with_suffix(".md").read_text()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_name_and_card(checkpoint: Path, tmp_path: Path, suffix: str) -> None:
    assert main([str(checkpoint), str(tmp_path / f"out{suffix}")]) == 0
    file, content, card = published(tmp_path, suffix)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.name == f"out-{sha256[:8]}{suffix}"
    assert set(content) == {"state_dict", "meta"}
    assert content["meta"]["epoch"] == 2
    # Without the folders of the machine that it was trained on.
    relative = CONFIG.replace("/home/me/data/", "").replace("D:\\\\runs\\\\", "")
    assert content["meta"]["cfg"] == relative
    left = {key for key in STATE if not key.startswith("text_branch.")}
    assert set(content["state_dict"]) == left
    for key in left:
        assert torch.equal(content["state_dict"][key], STATE[key])
    for words in (
        *(sha256, "CTRGCN(variant='authors')", "| stream | bone |", "| epoch | 2 |"),
        *("`nwucla.pkl`, split `xview_train`", "0. sit\n1. walk", "1 left out"),
        "| mmengine | 0.10.7 |",
        "5 in weights and graphs, 4 in statistics",
    ):
        assert words in card, words
    assert "/home/me" not in card


def test_options(checkpoint: Path, tmp_path: Path) -> None:
    options = ["--name", "Mine", "--licence", "CC BY 4.0", "--keep-text-branch"]
    options += ["--labels", write_descriptions(tmp_path, ["a", "b", "c"])]
    for _ in range(2):  # the same content has the same name
        assert main([str(checkpoint), str(tmp_path / "out.safetensors"), *options]) == 0
    _, content, card = published(tmp_path, ".safetensors")
    assert set(content["state_dict"]) == set(STATE)
    for words in ("# Mine\n", "Of the weights: CC BY 4.0.", "2. c\n"):
        assert words in card
    assert main([str(checkpoint), str(tmp_path / "out.onnx")]) == 1
    assert main([str(checkpoint), str(tmp_path / "a.pth"), "--labels", "nwucla"]) == 1
    assert not list(tmp_path.glob("a*"))


def test_accuracy(checkpoint: Path, tmp_path: Path) -> None:
    write_run(tmp_path / "run", epochs(1, 4, 0.5))
    scores = np.eye(3)[[0, 1, 2, 0]]
    file = dump(tmp_path / "scores.pkl", scores, np.array([0, 1, 2, 1]))
    for suffix, option, words in (
        (".pth", ["--log", str(tmp_path / "run")], "top-1 20.0 % (validation"),
        (".safetensors", ["--scores", file], "top-1 75.00 %"),
    ):
        assert main([str(checkpoint), str(tmp_path / f"out{suffix}"), *option]) == 0
        assert words in published(tmp_path, suffix)[2]
