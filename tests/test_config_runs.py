"""Every leaf trains and tests: two iterations on an annotation of its own format.

pytest tests/test_config_runs.py                        # all leaves
pytest tests/test_config_runs.py -k 'ntu120_bone and not motion'
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS

from gap_mmaction.engine import launch
from gap_mmaction.evaluation.score_file import load_scores
from gap_mmaction.models.recognizers import drop_text_branch
from gap_mmaction.models.text import prompt_bank
from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.descriptions import load_descriptions
from tests import config_files
from tools import test, train

FEATURES = 16
# Which takes seconds: once for all leaves.
read_descriptions = functools.cache(load_descriptions)


@pytest.mark.slow
@pytest.mark.parametrize("path", config_files.LEAVES, ids=lambda path: path.stem)
def test_two_iterations_and_a_test(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config_files.ROOT)
    monkeypatch.setattr(prompt_bank, "load_descriptions", read_descriptions)
    config = config_files.load(path)
    config_files.make_small(config, tmp_path / "annotation.pkl")
    config_files.make_narrow(config)
    # Random features instead of CLIP's text tower, which has no weights here.
    bank = MODELS.build({"type": "PromptBank", **config.model.text_branch.prompts})
    features = torch.randn(
        (len(bank.texts), FEATURES), generator=torch.Generator().manual_seed(0)
    )
    file = tmp_path / "features.safetensors"
    save_features(file, bank.texts, features, "random")
    config.model.text_branch.features = str(file)
    config.train_cfg.update(max_epochs=1, val_interval=1)
    config.work_dir = str(tmp_path)
    config.experiment_name = f"train_{path.stem}"
    config.randomness = {"seed": 0}

    runner = launch.build_runner(config)
    runner.train()
    assert runner.iter == 2
    for loss in ("loss_cls", "loss_con"):
        values = runner.message_hub.get_scalar(f"train/{loss}").data[0]
        assert len(values) == 2 and np.isfinite(values).all()
        assert (np.asarray(values) > 0).all()
    accuracy = runner.message_hub.get_scalar("val/acc/top1").current()

    drop_text_branch(config)
    config.load_from = str(tmp_path / "epoch_1.pth")
    config.experiment_name = f"test_{path.stem}"
    scores = tmp_path / "scores.pkl"
    dump = {"type": "DumpResults", "out_file_path": str(scores)}
    config.test_evaluator = [*config.test_evaluator, dump]
    metrics = launch.build_runner(config).test()
    if config.test_dataloader.dataset == config.val_dataloader.dataset:
        assert metrics["acc/top1"] == accuracy
    content = load_scores(scores)
    assert content.sample_ids == [f"S001C001P001R001A{i:03d}" for i in range(4, 8)]
    assert content.scores.shape == (4, config.model.cls_head.num_classes)
    assert (content.predictions == content.labels).mean() == metrics["acc/top1"]


@pytest.mark.slow
def test_by_the_tools_with_the_text_tower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(config_files.ROOT)
    annotation = tmp_path / "ntu120_3d.pkl"
    config_files.write_annotation(annotation, "nturgb+d", 120, "xsub_train", "xsub_val")
    config = "configs/gap/ctrgcn_ntu120.py"
    options = [
        "optim_wrapper.type=OptimWrapper",  # the machine has no GPU
        "model.text_branch.encoder.pretrained=None",  # nor a network
        "train_cfg.max_epochs=1",
    ]
    for loader in ("train", "val", "test"):
        options += [
            f"{loader}_dataloader.dataset.ann_file={annotation}",
            f"{loader}_dataloader.batch_size=2",
            f"{loader}_dataloader.num_workers=0",
            f"{loader}_dataloader.persistent_workers=False",
        ]
    options = ["--work-dir", str(tmp_path), "--cfg-options", *options]
    train.main([config, *options])
    test.main([config, str(tmp_path / "epoch_1.pth"), *options])
    logs = [path.read_text() for path in sorted(tmp_path.glob("*/*.log"))]
    assert re.search(r"\[1\]\[2/2\].* loss_con: \d", logs[0])
    trained, tested = (re.findall(r"acc/top1: ([\d.]+)", log)[-1] for log in logs)
    assert tested == trained
