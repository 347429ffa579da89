"""The benchmarks run; one that is killed by real SIGKILLs ends as one that is not."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch

from tests.benchmarks import plot_text_cost, try_prompts
from tests.benchmarks.kill_test import compare_checkpoints
from tests.models.text_common import save_tiny_hf
from tests.processes import run_python


@pytest.mark.skipif(os.name != "posix", reason="needs fork and SIGKILL")
@pytest.mark.parametrize(
    ("kills", "processes", "workers"),
    [("3", "1", "0"), pytest.param("2", "2", "2", marks=pytest.mark.slow)],
)
def test_kills(kills: str, processes: str, workers: str, tmp_path: Path) -> None:
    options = ["--epochs", "3", "--kills", kills, "--processes", processes]
    options += ["--workers", workers, "--work-dir", str(tmp_path / "work")]
    # In a process of its own, as this one may have threads that cannot be forked.
    printed = run_python("tests/benchmarks/kill_test.py", *options)
    pattern = r"(\d+) kills in a run .*; (\d+) of (\d+) tensors .* are the same"
    (row,) = re.findall(pattern, printed)
    assert row[0] == kills and int(row[1]) == int(row[2]) > 100
    assert len(re.findall(r"^\| \d+ \|", printed, re.M)) == int(kills)
    # The comparison would see another weight.
    path, other = tmp_path / "work" / "killed" / "epoch_3.pth", tmp_path / "other.pth"
    content = torch.load(path, weights_only=True)
    content["state_dict"]["cls_head.fc.bias"][0] += 1e-7
    torch.save(content, other)
    assert compare_checkpoints(path, other)[1] == ["/state_dict/cls_head.fc.bias"]


@pytest.mark.usefixtures("tiny_clip")
def test_try_prompts(
    synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoders = ["cached", "hf", "clip-tuned", "hf-learned"]
    options = ["--hf", save_tiny_hf(tmp_path / "hf", "bert"), "--clip", "tiny"]
    options += ["--iterations", "2", "--mean-of", "1", "--cfg-options"]
    options += ["model.backbone.base_channels=8", "model.cls_head.in_channels=32"]
    options += ["optim_wrapper.optimizer.lr=0.01", "train_dataloader.batch_size=2"]
    options += [f"train_dataloader.dataset.ann_file={synthetic}"]
    config = ["configs/gap/ctrgcn_synthetic.py", "--presets", "label"]
    assert try_prompts.main([*config, "--encoders", *encoders, *options]) == 1
    rows = capsys.readouterr().out.splitlines()[-4:]
    # The label alone is not among the texts whose features ship.
    assert "was made from other texts" in rows[0]
    for row, name in zip(rows[1:], encoders[1:]):
        assert row.startswith(f"| label | {name} | ") and row.count(" -> ") == 2


@pytest.mark.usefixtures("tiny_clip")
def test_plot_text_cost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "cost.png"
    args = ["--model", "tiny", "--classes", "130", "5", "--samples", "4"]
    plot_text_cost.main([*args, "--repeats", "1", "--out", str(out)])
    assert out.read_bytes().startswith(b"\x89PNG")
    assert len(capsys.readouterr().out.splitlines()) == 2 + 2 * 5
