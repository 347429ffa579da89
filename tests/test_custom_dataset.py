"""Runs what docs/custom_dataset.md tells a user to do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.registry import init_default_scope

from gap_mmaction.models.text.feature_file import save_features
from gap_mmaction.models.text.prompt_bank import PromptBank

ROOT = Path(__file__).resolve().parents[1]


def code_blocks(language: str) -> list[str]:
    page = (ROOT / "docs" / "custom_dataset.md").read_text("utf-8")
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the configs and the three files of the page."""
    folder = tmp_path_factory.mktemp("suit")
    shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "data" / "descriptions").mkdir(parents=True)
    skeletons, config = code_blocks("python")
    subprocess.run([sys.executable, "-c", skeletons], cwd=folder, check=True)
    (words,) = code_blocks("yaml")
    descriptions = folder / "data" / "descriptions" / "suit.yaml"
    descriptions.write_text(words, encoding="utf-8")
    (folder / "configs" / "gap" / "ctrgcn_suit.py").write_text(config)
    texts = PromptBank(str(descriptions), preset="synonym+parts4").texts
    features = torch.randn(len(texts), 16, generator=torch.Generator().manual_seed(0))
    save_features(folder / "suit.safetensors", texts, features, "random")
    return folder


def run_tool(project: Path, tool: str, *args: str) -> str:
    command = [sys.executable, str(ROOT / "tools" / tool), "configs/gap/ctrgcn_suit.py"]
    done = subprocess.run(
        [*command, *args], cwd=project, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout + done.stderr


def test_config_is_short() -> None:
    _, config = code_blocks("python")
    assert len(config.splitlines()) < 25


def test_train_and_test_without_code(project: Path) -> None:
    init_default_scope("mmaction")
    options = [
        "optim_wrapper.type=OptimWrapper",
        "model.text_branch.features=suit.safetensors",
        # What follows only makes the test short.
        "model.backbone.base_channels=8",
        "model.cls_head.in_channels=32",
        "train_dataloader.dataset.times=1",
        "train_dataloader.batch_size=8",
        "train_cfg.max_epochs=1",
        *(f"{split}_dataloader.num_workers=0" for split in ("train", "val", "test")),
        *(
            f"{split}_dataloader.persistent_workers=False"
            for split in ("train", "val", "test")
        ),
    ]
    log = run_tool(project, "train.py", "--work-dir", "run", "--cfg-options", *options)
    assert re.search(r"loss_con: \d", log)
    trained = re.findall(r"acc/top1: ([\d.]+)", log)[-1]
    log = run_tool(
        project,
        "test.py",
        "run/epoch_1.pth",
        "--work-dir",
        "run",
        "--cfg-options",
        *options,
    )
    assert re.findall(r"acc/top1: ([\d.]+)", log)[-1] == trained
