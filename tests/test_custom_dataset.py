"""Runs what docs/custom_dataset.md tells a user to do."""

from __future__ import annotations

import csv
import pickle
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image

from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.prompt_bank import PromptBank
from tests import doc_pages
from tests.processes import ROOT, run_python
from tools import infer, retrieve, test, train, visualize

PAGE = ROOT / "docs" / "custom_dataset.md"
SHORT = """
# Only makes the test short.
model['backbone']['base_channels'] = 8
model['cls_head']['in_channels'] = 32
train_cfg = dict(max_epochs=1)
train_dataloader['dataset']['times'] = 1
train_dataloader.update(batch_size=8, num_workers=0, persistent_workers=False)
val_dataloader.update(num_workers=0, persistent_workers=False)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    init_default_scope("mmaction")
    folder = tmp_path_factory.mktemp("suit")
    shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "data" / "descriptions").mkdir(parents=True)
    skeletons, config, pair = doc_pages.fences(PAGE, "python")
    run_python("-c", skeletons, cwd=folder)
    (words,) = doc_pages.fences(PAGE, "yaml")
    descriptions = folder / "data" / "descriptions" / "suit.yaml"
    descriptions.write_text(words, encoding="utf-8")
    configs = folder / "configs" / "gap"
    (configs / "ctrgcn_suit.py").write_text(config + SHORT)
    (configs / "ctrgcn_suit_pair.py").write_text(pair)
    texts = PromptBank(str(descriptions), preset="synonym+parts4").texts
    features = torch.randn(len(texts), 16, generator=torch.Generator().manual_seed(0))
    save_features(folder / "data" / "suit.safetensors", texts, features, "random")
    return folder


def run_tool(tool: Any) -> Any:
    """Calls a tool as the page does where it needs no text model."""
    name = f"tools/{Path(tool.__file__).name}"
    (arguments,) = (
        [argument.replace("epoch_110", "epoch_1") for argument in arguments]
        for command, *arguments in doc_pages.commands(PAGE)
        if command == name and "--encoder" not in arguments
    )
    return tool.main(arguments)


def test_use_without_code(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    run_tool(train)
    (log,) = project.glob("work_dirs/*/*/*.log")
    assert re.search(r"loss_con: \d", log.read_text())
    trained = re.findall(r"acc/top1: ([\d.]+)", log.read_text())[-1]
    capsys.readouterr()
    run_tool(test)
    tested = re.findall(r"acc/top1: ([\d.]+)", "".join(capsys.readouterr()))
    assert tested[-1] == trained
    assert run_tool(infer) == 0
    with (project / "labels.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert len(rows) == 1 + 8
    assert {"squat", "star jump", "bow"} & set(rows[1])
    assert run_tool(visualize) == 0
    with Image.open(project / "take016.png") as picture:
        assert picture.width > picture.height
    capsys.readouterr()
    assert run_tool(retrieve) == 0
    assert len(set(re.findall(r"take\d{3}", capsys.readouterr().out))) == 8


def check_sample(model: Any, dataset: Any, annotations: Any) -> torch.Tensor:
    """Returns the first sample of changed annotations, which has a loss."""
    Path("data/changed.pkl").write_bytes(pickle.dumps(annotations))
    sample = DATASETS.build({**dataset, "ann_file": "data/changed.pkl"})[0]
    batch = {key: [value] * 2 for key, value in sample.items()}
    losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
    assert torch.isfinite(losses["loss_cls"])
    return sample["inputs"]


@pytest.mark.parametrize("persons", [1, 2, 3])
def test_two_persons(
    project: Path, monkeypatch: pytest.MonkeyPatch, persons: int
) -> None:
    monkeypatch.chdir(project)
    config = Config.fromfile("configs/gap/ctrgcn_suit_pair.py")
    config.model.text_branch = None
    model = MODELS.build(config.model)
    annotations = pickle.loads((project / "data" / "suit.pkl").read_bytes())
    for item in annotations["annotations"]:
        item["keypoint"] = np.concatenate([item["keypoint"]] * persons)
    train, tested = config.train_dataloader.dataset, config.test_dataloader.dataset
    for dataset in (train.dataset, tested):
        inputs = check_sample(model, dataset, annotations)
        assert inputs.shape == (1, 2, 52, 11, 3)
        assert inputs[0, 1].any() == (persons > 1)


def test_bases_for_few_clips(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    (bases,) = doc_pages.fences(ROOT / "docs" / "small_data.md", "python")
    text = (project / "configs" / "gap" / "ctrgcn_suit.py").read_text()
    small = project / "configs" / "gap" / "ctrgcn_suit_small.py"
    small.write_text(text.replace("_base_ = './ctrgcn_nwucla.py'", bases))
    config = Config.fromfile(small)
    assert config.param_scheduler[1].end == 1.0
    assert config.custom_hooks[0].ema_type == "ForeachEMA"
    assert config.optim_wrapper.type == "OptimWrapper"
    dataset = config.train_dataloader.dataset
    assert (dataset.times, dataset.dataset.ann_file) == (1, "data/suit.pkl")
    MODELS.build(config.model)


def test_2d(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The changes that the page names, with a confidence and without."""
    monkeypatch.chdir(project)
    text = (project / "configs" / "gap" / "ctrgcn_suit.py").read_text()
    for old, new in (
        ("./ctrgcn_nwucla.py", "./ctrgcn_ntu60_2d.py"),
        ("_delete_=True,", "_delete_=True, num_coordinates=2,"),
        (", init_cfg=dict(std=0.816)", ""),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    flat = project / "configs" / "gap" / "ctrgcn_suit_2d.py"
    flat.write_text(text)
    annotations = pickle.loads((project / "data" / "suit.pkl").read_bytes())
    for score in (True, False):
        config = Config.fromfile(flat)
        config.model.text_branch = None
        if not score:
            config.model.backbone.in_channels = 2
        model = MODELS.build(config.model)
        for item in annotations["annotations"]:
            item["keypoint"] = item["keypoint"][..., :2]
            item["img_shape"] = (480, 640)
            item.pop("keypoint_score", None)
            if score:
                item["keypoint_score"] = np.ones_like(item["keypoint"][..., 0])
        dataset = config.train_dataloader.dataset.dataset
        inputs = check_sample(model, dataset, annotations)
        assert inputs.shape == (1, 2, 100, 11, 3 if score else 2)
