"""Every preset and encoder in a few iterations."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.datasets.synthetic import write_synthetic
from tests.models.text_common import TINY_CLIP, save_tiny_hf
from tools.analysis.try_prompts import main

CONFIG = "configs/gap/ctrgcn_synthetic.py"


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    data = tmp_path / "synthetic.pkl"
    write_synthetic(data, num_performers=2, num_train_performers=1, repetitions=1)
    return [
        *("--iterations", "3", "--mean-of", "1", "--cfg-options"),
        "model.backbone.base_channels=8",
        "model.cls_head.in_channels=32",
        "optim_wrapper.optimizer.lr=0.01",
        "train_dataloader.batch_size=2",
        f"train_dataloader.dataset.ann_file={data}",
    ]


def _rows(text: str) -> dict[tuple[str, str], list[str]]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines()]
    cells = [[cell.strip() for cell in line] for line in lines if len(line) > 3]
    return {(row[0], row[1]): row[2:] for row in cells[1:]}


def test_table(
    options: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    open_clip = pytest.importorskip("open_clip")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY_CLIP)
    hf = save_tiny_hf(tmp_path / "hf", "bert")
    encoders = ["cached", "hf", "hf-tuned", "clip-tuned", "hf-learned"]
    status = main(
        [
            CONFIG,
            "--presets",
            "label-name",
            "--encoders",
            "hf",
            "clip-tuned",
            "--hf",
            hf,
            "--clip",
            "tiny",
            *options,
        ]
    )
    assert status == 0
    rows = _rows(capsys.readouterr().out)
    assert set(rows) == {("label-name", "hf"), ("label-name", "clip-tuned")}
    for row in rows.values():
        assert all(" -> " in cell for cell in row[:2])
    status = main(
        [
            CONFIG,
            "--presets",
            "label",
            "--encoders",
            *encoders,
            "--hf",
            hf,
            "--clip",
            "tiny",
            *options,
        ]
    )
    # The label alone is not among the texts whose features ship.
    assert status == 1
    rows = _rows(capsys.readouterr().out)
    assert list(rows) == [("label", name) for name in encoders]
    assert "was made from other texts" in rows["label", "cached"][-1]
    assert all(" -> " in rows["label", name][0] for name in encoders[1:])


@pytest.mark.parametrize(
    "arguments",
    [
        ["--encoders", "hf"],
        ["--encoders", "word2vec"],
        ["--presets", "none"],
        ["--iterations", "2", "--mean-of", "3"],
    ],
)
def test_arguments(arguments: list[str]) -> None:
    with pytest.raises(SystemExit):
        main([CONFIG, *arguments])
