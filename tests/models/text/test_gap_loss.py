"""GAPLoss: the text branch's loss in a loop of one's own, without OpenMMLab too."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor, nn

from gap_mmaction import GAPLoss
from tests.models.text_common import EmbeddingTextEncoder, model_config
from tests.processes import ROOT

FEATURES: dict[str, Any] = dict(features="nwucla_minilm", seed=3)
LABELS = torch.tensor([0, 3, 3, 9, 1])


def make(channels: int = 8, **options: Any) -> GAPLoss:
    torch.manual_seed(0)
    return GAPLoss("nwucla", channels, "nw-ucla", **(options or FEATURES))


@pytest.mark.parametrize(
    ("dtype", "limit"), [(torch.float32, 1e-6), (torch.float64, 1e-10)]
)
@pytest.mark.parametrize("is_tuned", [False, True])
def test_loss_and_gradients_of_the_recognizer(
    is_tuned: bool, dtype: torch.dtype, limit: float
) -> None:
    encoder = dict(type="EmbeddingTextEncoder", frozen=False) if is_tuned else None
    features = None if is_tuned else "data/text_features/nwucla_minilm.safetensors"
    prompts = dict(descriptions="data/descriptions/nwucla.yaml", seed=3)
    branch = dict(prompts=dict(prompts, preset="synonym+parts4"), encoder=encoder)
    torch.manual_seed(0)
    config = model_config(text_branch=dict(branch, features=features))
    config["cls_head"]["num_classes"] = 10
    model = MODELS.build(config)
    model.init_weights()
    model.to(dtype)
    texts = dict(encoder=encoder, seed=3) if is_tuned else FEATURES
    gap = make(model.cls_head.in_channels, **texts).to(dtype)
    gap.load_state_dict(model.text_branch.state_dict())
    backbone, head = copy.deepcopy(model.backbone), copy.deepcopy(model.cls_head)

    x = torch.randn(5, 1, 1, 6, 20, 3, dtype=dtype)
    samples = [ActionDataSample().set_gt_label(int(label)) for label in LABELS]
    losses = model(x, samples, mode="loss")
    (losses["loss_cls"] + losses["loss_con"]).backward()
    feature_map = backbone(x[:, 0])
    loss = gap(feature_map.flatten(0, 1), LABELS, axes="(n m) c t v", m=1)
    (loss + F.cross_entropy(head(feature_map), LABELS)).backward()

    torch.testing.assert_close(loss, losses["loss_con"], rtol=limit, atol=limit)
    parts = ((gap, model.text_branch), (backbone, model.backbone))
    for own, expected in parts:
        for one, other in zip(own.parameters(), expected.parameters(), strict=True):
            assert one.grad is not None and other.grad is not None
            torch.testing.assert_close(one.grad, other.grad, rtol=limit, atol=limit)


@pytest.mark.parametrize(
    ("axes", "persons"),
    [
        ("n m c t v", None),
        ("(n m) v c t", 2),
        ("n c (t v m)", 2),
        ("t v n c m", None),
    ],
)
def test_axes(axes: str, persons: int | None) -> None:
    x = torch.randn(5, 2, 8, 3, 20)
    found = make()(rearrange(x, f"n m c t v -> {axes}"), LABELS, axes, persons)
    torch.testing.assert_close(found, make()(x, LABELS))


def test_one_person_and_frame() -> None:
    x = torch.randn(5, 8, 20)
    expected = make()(x[:, None, :, None], LABELS)
    torch.testing.assert_close(make()(x, LABELS, axes="n c v"), expected)


@pytest.mark.parametrize(
    ("shape", "arguments", "words"),
    [
        (
            [5, 8, 3, 25],
            dict(axes="n c t v"),
            r"do not fit .*\[5, 8, 3, 25\].*layout's 20 joints",
        ),
        ([10, 8, 3, 20], dict(axes="(n m) c t v"), r"do not fit .*\[10, 8, .*say how"),
        ([5, 8, 3, 20], dict(axes="n c t v m"), "do not fit"),
        ([5, 8, 3, 20], dict(axes="b c t v"), "axes=.b c t v. is wrong"),
        ([5, 8, 3, 20], dict(axes="n c t v", labels=[0, 1, 2, 3, 10]), r"\[10\] are "),
        ([4, 8, 3, 20], dict(axes="n c t v"), "4 clips have 5 labels"),
    ],
)
def test_refused(shape: list[int], arguments: dict[str, Any], words: str) -> None:
    labels = torch.tensor(arguments.pop("labels", LABELS.tolist()))
    with pytest.raises(ValueError, match=words):
        make()(torch.rand(shape), labels, **arguments)


def test_other_number_of_classes() -> None:
    with pytest.raises(ValueError, match=r"describes 10 classes.* num_classes=12"):
        make(num_classes=12, **FEATURES)
    with pytest.raises(ValueError, match="features and encoder are given"):
        make(encoder=EmbeddingTextEncoder(), **FEATURES)


def test_encoder_of_ones_own_and_compile() -> None:
    gap = make(encoder=EmbeddingTextEncoder(), seed=0)
    assert gap.encoder is not None
    model = nn.Conv2d(3, 8, 1)
    compiled = torch.compile(model, backend="aot_eager")
    x = torch.rand(5, 3, 4, 20)

    def loss(net: Any) -> Tensor:
        gap.prompts.step = 0
        return gap(net(x), LABELS, axes="n c t v")

    torch.testing.assert_close(loss(compiled), loss(model))


def test_without_openmmlab(tmp_path: Path) -> None:
    program = """
import sys
for name in ("mmengine", "mmcv", "mmaction"):
    sys.modules[name] = None
import torch
from gap_mmaction import GAPLoss
from gap_mmaction.models import CTRGCN
gap = GAPLoss("nwucla", 32, layout="nw-ucla", features="nwucla_minilm")
net = CTRGCN(dict(layout="nw-ucla"), base_channels=8, num_person=1)
optimizer = torch.optim.SGD([*net.parameters(), *gap.parameters()], 0.1)
x, losses = torch.rand(6, 1, 8, 20, 3), []
for _ in range(4):
    loss = gap(net(x), torch.arange(6))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
assert losses[-1] < losses[0], losses
"""
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_lightning(tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net, self.gap = nn.Conv2d(3, 8, 1), make()

        def training_step(self, batch: Any, index: int) -> Tensor:
            x, y = batch
            return self.gap(self.net(x), y, axes="n c t v")

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    module = Module()
    before = module.net.weight.detach().clone()
    data = torch.utils.data.TensorDataset(torch.rand(10, 3, 4, 20), LABELS.repeat(2))
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(module, torch.utils.data.DataLoader(data, batch_size=5))
    assert not torch.equal(before, module.net.weight)
