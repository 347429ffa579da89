"""The benchmarks of the text side run."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.datasets.synthetic import write_synthetic
from tests.benchmarks import plot_text_cost, try_prompts
from tests.models.text_common import TINY_CLIP, save_tiny_hf


def test_try_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_clip = pytest.importorskip("open_clip")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY_CLIP)
    data = tmp_path / "synthetic.pkl"
    write_synthetic(data, num_performers=2, num_train_performers=1, repetitions=1)
    encoders = ["cached", "hf", "clip-tuned", "hf-learned"]
    options = ["--hf", save_tiny_hf(tmp_path / "hf", "bert"), "--clip", "tiny"]
    options += ["--iterations", "2", "--mean-of", "1", "--cfg-options"]
    options += ["model.backbone.base_channels=8", "model.cls_head.in_channels=32"]
    options += ["optim_wrapper.optimizer.lr=0.01", "train_dataloader.batch_size=2"]
    options += [f"train_dataloader.dataset.ann_file={data}"]
    config = ["configs/gap/ctrgcn_synthetic.py", "--presets", "label"]
    assert try_prompts.main([*config, "--encoders", *encoders, *options]) == 1
    rows = capsys.readouterr().out.splitlines()[-4:]
    # The label alone is not among the texts whose features ship.
    assert "was made from other texts" in rows[0]
    for row, name in zip(rows[1:], encoders[1:]):
        assert row.startswith(f"| label | {name} | ") and row.count(" -> ") == 2


def test_plot_text_cost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    open_clip = pytest.importorskip("open_clip")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY_CLIP)
    out = tmp_path / "cost.png"
    args = ["--model", "tiny", "--classes", "130", "5", "--samples", "4"]
    plot_text_cost.main([*args, "--repeats", "1", "--out", str(out)])
    assert out.read_bytes().startswith(b"\x89PNG")
    assert len(capsys.readouterr().out.splitlines()) == 2 + 2 * 5
