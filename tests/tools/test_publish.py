from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tools.publish import strip_checkpoint


def test_leaves_text_branch_and_optimizer_out(tmp_path: Path) -> None:
    source, target = tmp_path / "epoch_1.pth", tmp_path / "published.pth"
    state = {
        "backbone.A": torch.ones(2),
        "cls_head.fc.bias": torch.zeros(3),
        "text_branch.head.weight": torch.ones(3),
    }
    torch.save(
        {"state_dict": state, "meta": {"epoch": 1}, "optimizer": {}, "message_hub": {}},
        source,
    )
    assert strip_checkpoint(str(source), target) == (2, 1)
    published = torch.load(target, weights_only=True)
    assert set(published) == {"state_dict", "meta"}
    assert set(published["state_dict"]) == {"backbone.A", "cls_head.fc.bias"}
    assert published["meta"] == {"epoch": 1}


def test_no_state_dict(tmp_path: Path) -> None:
    torch.save({"weights": {}}, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="no `state_dict`"):
        strip_checkpoint(str(tmp_path / "other.pth"), tmp_path / "out.pth")
