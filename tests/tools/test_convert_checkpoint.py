"""tools/convert_checkpoint.py: golden outputs, and what does not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmaction.models.recognizers import RecognizerGCN
from mmengine.config import Config
from torch import Tensor

from gap_mmaction.apis import load_model
from gap_mmaction.models import CTRGCN
from gap_mmaction.utils.checkpoint_reader import read_checkpoint
from tests.models.golden import assert_output, load_golden
from tools.convert_checkpoint import main

GOLDEN = {
    "ctrgcn_authors": ("nturgb+d", "CTRGCN"),
    "ctrgcn_authors_ucla": ("nw-ucla", "CTRGCN"),
    "baseline_authors": ("nturgb+d", "CTRBaseline"),
}
# Names of the paper's repository beside the GCN.
TEXT = ("logit_scale", "part_list.0.weight", "linear_head.ViT-B/32.bias")


def authors_weights(**settings: Any) -> dict[str, Tensor]:
    torch.manual_seed(0)
    graph = dict(layout="nw-ucla")
    arguments: dict[str, Any] = dict(base_channels=16, num_stages=3, num_person=1)
    arguments.update(inflate_stages=[2], down_stages=[2], **settings)
    backbone = CTRGCN(graph, variant="authors", **arguments)
    state = {}
    for key, value in backbone.state_dict().items():
        if key.startswith("net."):
            _, number, rest = key.split(".", 2)
            key = f"l{int(number) + 1}.{rest.replace('gcn1.A', 'gcn1.PA')}"
        if key != "graph":
            state[key] = value
    return {**state, "fc.weight": torch.rand(10, 32), "fc.bias": torch.rand(10)}


def convert(tmp_path: Path, content: Any, source: str, *options: str) -> int:
    torch.save(content, tmp_path / "weights.pt")
    out = str(tmp_path / "out.pth")
    return main(["--from", source, str(tmp_path / "weights.pt"), out, *options])


def converted_model(tmp_path: Path) -> RecognizerGCN:
    """Load what was written, strictly, by the config that it carries."""
    checkpoint = read_checkpoint(tmp_path / "out.pth")
    cfg = Config.fromstring(checkpoint["meta"]["cfg"], ".py")
    return load_model(cfg, tmp_path / "out.pth")


@pytest.mark.parametrize("file", list(GOLDEN))
@pytest.mark.parametrize("source", ["gap", "ctrgcn"])
def test_golden_of_the_authors(
    golden_folder: Path, tmp_path: Path, file: str, source: str
) -> None:
    arrays, state = load_golden(golden_folder, file)
    weights = {f"module.{key}": value for key, value in state.items()}
    if source == "gap":
        weights.update({f"module.{key}": torch.ones(3) for key in TEXT})
    assert convert(tmp_path, weights, source) == 0
    model = converted_model(tmp_path)
    assert type(model.backbone).__name__ == GOLDEN[file][1]
    assert model.data_preprocessor.skeleton.name == GOLDEN[file][0]
    x = arrays["input"].permute(0, 4, 2, 3, 1)  # from [N, C, T, V, M]
    with torch.no_grad():
        feature = model.backbone(x)
        assert_output(feature, arrays["feature"])
        assert_output(model.cls_head(feature), arrays["logits"])


def test_golden_of_pyskl(golden_folder: Path, tmp_path: Path) -> None:
    # mmaction2's project has PYSKL's names and form.
    arrays, state = load_golden(golden_folder, "ctrgcn_mmaction2")
    weights = {f"backbone.{key}": value for key, value in state.items()}
    weights["cls_head.fc_cls.weight"] = torch.rand(60, 64)
    weights["cls_head.fc_cls.bias"] = torch.rand(60)
    content = {"state_dict": weights, "meta": {"epoch": 16}, "optimizer": {}}
    assert convert(tmp_path, content, "pyskl") == 0
    model = converted_model(tmp_path)
    with torch.no_grad():
        assert_output(model.backbone(arrays["input"]), arrays["output"])
    assert torch.equal(model.cls_head.fc.weight, weights["cls_head.fc_cls.weight"])


def test_keys_that_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = authors_weights(temporal="single")
    weights.update({key: torch.ones(2) for key in TEXT})
    assert convert(tmp_path, weights, "gap") == 0
    printed = capsys.readouterr().out
    assert all(f"left out: {key}\n" in printed for key in TEXT)
    assert converted_model(tmp_path).backbone.temporal == "single"
    (tmp_path / "out.pth").unlink()
    weights["visual.proj"] = torch.ones(2)
    assert convert(tmp_path, weights, "gap") == 1
    assert "  visual.proj\n" in capsys.readouterr().err
    assert not (tmp_path / "out.pth").exists()
    assert convert(tmp_path, weights, "gap", "--leave-out", "visual.") == 0


def test_keys_that_do_not_fit_are_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = authors_weights()
    del weights["l2.gcn1.alpha"]
    weights["l2.gcn1.beta"] = torch.ones(1)
    weights["l3.tcn1.branches.0.0.bias"] = torch.ones(5)
    assert convert(tmp_path, weights, "ctrgcn") == 1
    printed = capsys.readouterr().err
    assert "missing:    backbone.net.1.gcn1.alpha\n" in printed
    assert "unexpected: backbone.net.1.gcn1.beta\n" in printed
    assert "net.2.tcn1.branches.0.0.bias is [5] in the file, [8] in the" in printed
    for content, source, message in (
        ({"conv1.weight": torch.ones(1)}, "ctrgcn", "--from ctrgcn does not fit"),
        ([1], "gap", "holds a list"),
        ({"backbone.gcn.0.gcn.A": torch.ones(1)}, "pyskl", "by --config"),
    ):
        assert convert(tmp_path, content, source) == 1
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out.pth").exists()


def test_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = "configs/gap/ctrgcn_nwucla.py"
    other = ["model.backbone.variant=mmaction2"]
    options = ["model.backbone.base_channels=16", "model.backbone.num_stages=3"]
    options += ["model.backbone.inflate_stages=[2]", "model.cls_head.in_channels=32"]
    options += ["model.backbone.down_stages=[2]", "model.data_preprocessor.stream=bone"]
    weights = authors_weights()
    command = ["--config", config, "--cfg-options", *options]
    # The names and shapes fit mmaction2's form as well, which computes another thing.
    assert convert(tmp_path, weights, "gap", *command, *other) == 1
    assert "variant='authors'" in capsys.readouterr().err
    assert convert(tmp_path, weights, "gap", *command) == 0
    assert converted_model(tmp_path).data_preprocessor.stream == "bone"
