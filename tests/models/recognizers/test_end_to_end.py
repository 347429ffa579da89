"""One training step of the public GAP model, by the leaves that ship."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch import Tensor

from gap_mmaction.models import convert_authors_state_dict
from gap_mmaction.models.text.cached_encoder import save_features
from gap_mmaction.models.text.prompt_bank import PromptBank
from tests.config_files import ROOT, load

LEAVES = dict(ntu_joint="ctrgcn_ntu120", ntu_bone="ctrgcn_ntu120_bone")
LEAVES.update(ucla_joint="ctrgcn_nwucla", ucla_bone="ctrgcn_nwucla_bone")
# Slots in our order: global, head, hand, hip, foot.
PROJECTIONS = ("linear_head.ViT-B/32", *(f"part_list.{i}" for i in (0, 1, 3, 2)))


def drawn(name: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(zlib.crc32(name.encode()) + seed)
    return rng.standard_normal(shape)


def own_name(name: str) -> str:
    if name == "logit_scale":
        return "text_branch.loss_con.logit_scale"
    stem, _, kind = name.rpartition(".")
    if stem in PROJECTIONS:
        return f"text_branch.head.projections.{PROJECTIONS.index(stem)}.{kind}"
    backbone = {name: torch.empty(0), "l1.": torch.empty(0)}
    return next(iter(convert_authors_state_dict(backbone, recognizer=True)))


def build(leaf: str, folder: Path) -> Any:
    """The leaf's model; only the encoder and the form of the loss are others."""
    config: Config = load(ROOT / "configs" / "gap" / f"{leaf}.py").model
    branch = config.text_branch
    branch.loss.update(target="softmax", learnable=True, loss_weight=0.8)
    texts = PromptBank(**branch.prompts).texts
    file = folder / "features.safetensors"
    save_features(file, texts, torch.ones(len(texts), 512), "for a test")
    branch.features = str(file)
    return MODELS.build(config)


def value_of(scale: float, old: Tensor, z: np.ndarray) -> Tensor:
    special = {-1.0: 0 * z + 0.3, -2.0: 0 * z + 2.659260036932778}
    special |= {-3.0: 1 + 0.1 * z, -4.0: old.numpy() + 0.02 * z}
    return torch.from_numpy(special.get(scale, scale * z).astype(np.float32)).double()


@pytest.mark.parametrize("case", list(LEAVES))
def test_step_of_the_public_model(
    golden_folder: Path, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    golden = np.load(golden_folder / f"end_to_end_{case}.npz")
    seed = int(golden["seed"])
    model = build(LEAVES[case], tmp_path).double().train()
    own = dict(model.named_parameters())
    names = {name: own_name(name) for name in golden["names"]}
    assert set(names.values()) == set(own)
    with torch.no_grad():
        for name, scale in zip(golden["names"], golden["scales"]):
            parameter = own[names[name]]
            noise = drawn(name, seed, tuple(parameter.shape))
            parameter.copy_(value_of(scale, parameter, noise))
    text = torch.from_numpy(golden["text"]).double()
    monkeypatch.setattr(model.text_branch, "encode", lambda ids: text)

    # [B, C, T, V, M] there, [clips, M, T, V, C] of each sample here.
    x = torch.from_numpy(golden["x"]).double().permute(0, 4, 2, 3, 1)[:, None]
    samples = [ActionDataSample().set_gt_label(int(i)) for i in golden["labels"]]
    # The preprocessor itself works in single precision.
    losses = model(model.data_preprocessor.to_stream(x), samples, mode="loss")
    total = losses["loss_cls"] + losses["loss_con"]
    total.backward()

    slots = [value for name, value in losses.items() if name.startswith("con_")]
    found = dict(loss_cls=losses["loss_cls"], loss_con=torch.stack(slots), loss=total)
    for name, value in found.items():
        np.testing.assert_allclose(value.detach(), golden[name], rtol=1e-9)
    limit = 1e-5 * golden["grad_norm"].max()
    for i, name in enumerate(golden["names"]):
        gradient = own[names[name]].grad
        assert gradient is not None
        z = torch.from_numpy(drawn(f"grad.{name}", seed, tuple(gradient.shape)))
        assert abs(gradient.norm() - golden["grad_norm"][i]) < limit, name
        assert abs((gradient * z).sum() - golden["grad_dot"][i]) < limit, name
    buffers = dict(model.named_buffers())
    for name, expected in zip(golden["rs_names"], golden["rs_dot"]):
        value = buffers[own_name(name)].double()
        z = torch.from_numpy(drawn(f"rs.{name}", seed, tuple(value.shape)))
        np.testing.assert_allclose((value * z).sum(), expected, rtol=1e-5, atol=1e-5)
