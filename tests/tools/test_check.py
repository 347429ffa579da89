"""tools/check.py: all that is wrong, at once, before any training."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets.synthetic import make_synthetic
from tests.config_files import ROOT
from tools.check import main

LEAF = ROOT / "configs" / "gap" / "ctrgcn_synthetic.py"


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A small set; the config's files are found from the repository."""
    monkeypatch.chdir(ROOT)
    return make_synthetic(num_performers=3, num_train_performers=2, repetitions=1)


def run(folder: Path, content: dict[str, Any], *lines: str) -> int:
    file = folder / "mine.pkl"
    file.write_bytes(pickle.dumps(content))
    config = folder / "mine.py"
    config.write_text("\n".join((f"_base_ = {str(LEAF)!r}", *lines)))
    data = [f"{x}_dataloader.dataset.ann_file={file}" for x in ("train", "val", "test")]
    return main([str(config), "--cfg-options", *data])


Output = pytest.CaptureFixture[str]


def test_good(tmp_path: Path, content: dict[str, Any], capsys: Output) -> None:
    rates = "optim_wrapper = dict(paramwise_cfg=dict(custom_keys=dict()))"
    assert run(tmp_path, content, rates) == 0
    out = capsys.readouterr().out
    assert out.startswith("fine: ") and "wrong" not in out
    for step in ("settings", "train_dataloader.dataset", "model.text_branch.features"):
        assert step in out


def test_without_training_data(
    tmp_path: Path, content: dict[str, Any], capsys: Output
) -> None:
    file, config = tmp_path / "mine.pkl", tmp_path / "mine.py"
    file.write_bytes(pickle.dumps(content))
    lines = (
        f"_base_ = {str(LEAF)!r}",
        "train_dataloader = None",
        f"val_dataloader = dict(dataset=dict(ann_file={str(file)!r}))",
        "test_dataloader = val_dataloader",
    )
    config.write_text("\n".join(lines))
    assert main([str(config)]) == 0
    assert "val_dataloader.dataset" in capsys.readouterr().out


def test_four_faults_at_once(
    tmp_path: Path, content: dict[str, Any], capsys: Output
) -> None:
    content["annotations"][3]["label"] = 12
    content["annotations"][5]["keypoint"][0, 0, 0, 0] = np.nan
    lines = (
        "model = dict(text_branch=dict(features='gone.safetensors'))",
        "optim_wrapper = dict(optimizer=dict(learning_rate=1))",
        "train_cfg = dict(max_epoch=3)",
        "val_dataloader = dict(dataset=dict(layout='nw-ucla'))",
    )
    assert run(tmp_path, content, *lines) == 1
    out = capsys.readouterr().out
    for words in (
        "optimizer.learning_rate: unknown setting",
        "train_cfg: unknown key 'max_epoch' (did you mean 'max_epochs'?)",
        "2 of 20 sequences cannot be used: 'p000a03r00v00': label=12",
        "val_dataloader.dataset: layout='nw-ucla', but model.data_preprocessor has",
        "features: there is no feature file 'gone.safetensors'",
    ):
        assert words in out
    assert out.splitlines()[-1].startswith("fine: ") and "model.text_branch" in out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("model = dict(cls_head=dict(num_classes=9))", "num_classes=10, but model.cls"),
        ("model = dict(backbone=dict(in_channels=2))", "3 columns, model.backbone.in"),
        ("model = dict(backbone=dict(num_person=2))", "1 persons, model.backbone.num"),
        ("train_dataloader = dict(batch_sise=4)", "batch_sise: unknown setting (did"),
        ("train_dataloader = dict(batch_size=99, drop_last=True)", "20 samples fill"),
        ("optim_wrapper = dict(type='AmpOptimWrap')", "mean 'AmpOptimWrapper'?"),
        ("optim_wrapper = dict(optimizer=dict(type='Sgd'))", "mean 'SGD'?"),
        ("param_scheduler = [dict(type='CosineLR')]", "0.type='CosineLR': there"),
        ("optim_wrapper = dict(optimizer=dict(paramwise_cfg={}))", "unknown setting"),
        ("custom_hooks = [dict(type='EmaHook')]", "mean 'EMAHook'?"),
        ("train_dataloader = dict(sampler=dict(type='Sampler'))", "sampler.type="),
        ("val_evaluator = dict(type='Acc', _delete_=True)", "val_evaluator.type='Acc'"),
        ("load_from = 'gone.pth'", "load_from='gone.pth': there is no such file"),
        ("train_dataloader = dict(dataset=dict(multi_class=True))", "takes one class"),
        ("", "of 20 clips of the first batch reach the model as zeros"),
    ],
)
def test_faults(
    line: str, words: str, tmp_path: Path, content: dict[str, Any], capsys: Output
) -> None:
    for item in content["annotations"]:
        item["keypoint"][:] = item["keypoint"] if line else 1
    assert run(tmp_path, content, line) == 1
    assert words in capsys.readouterr().out
