"""FeatureHook: maps and logits of mmaction2's models and of models of others."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import einops

# Registers the ConvBranch initialization of AAGCN, as every Runner does.
import mmaction.engine  # noqa: F401
import pytest
import torch
import torch.distributed as dist
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tests.config_files import ROOT, load
from tests.models.text_common import model_config, raises, write_descriptions


class TupleGCN(nn.Module):
    """As models of CTR-GCN's repository: ``[N, C, T, V, M]`` to logits, and more."""

    def __init__(self, num_class: int = 3) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.eye(20))
        self.l1, self.l2 = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 1)
        self.norm, self.unused = nn.BatchNorm2d(8), nn.Identity()
        self.fc = nn.Linear(8, num_class)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        n, c, t, v, m = x.shape
        x = x.permute(0, 4, 1, 2, 3).contiguous().view(n * m, c, t, v) @ self.A
        x = self.norm(self.l2(self.l1(x).relu()))
        return self.fc(x.view(n, m, 8, -1).mean(3).mean(1)), self.A


HOOK: dict[str, Any] = dict(type="FeatureHook", layer="norm", axes="(n m) c t v")
TUPLE = dict(HOOK, model=dict(type=TupleGCN), input_axes="n c t v m", logits=True)
STGCN = dict(type="STGCN", graph_cfg=dict(layout="nw-ucla"), num_stages=1)


def build(config: Any) -> Any:
    torch.manual_seed(0)
    model = MODELS.build(copy.deepcopy(config))
    model.init_weights()
    return model


def recognizer(backbone: Any, folder: Path | None = None) -> Any:
    config = model_config()
    config["backbone"], config["cls_head"]["type"] = backbone, "ForeignHead"
    if folder is not None:
        prompts = dict(descriptions=write_descriptions(folder))
        encoder = dict(type="EmbeddingTextEncoder")
        config["text_branch"] = dict(prompts=prompts, encoder=encoder)
    return build(config)


def batch(model: Any, joints: int = 20) -> Any:
    inputs = torch.randn(3, 1, 2, 8, joints, 3, generator=torch.manual_seed(1))
    samples = [ActionDataSample().set_gt_label(label) for label in range(3)]
    data = dict(inputs=list(inputs), data_samples=samples)
    return model.data_preprocessor(data, True)


def gradients(model: Any, joints: int = 20) -> dict[str, Any]:
    loss, log = model.parse_losses(model.train()(**batch(model, joints), mode="loss"))
    loss.backward()
    return {**log, **{name: p.grad for name, p in model.named_parameters()}}


@torch.no_grad()
def scores(model: Any, joints: int = 20) -> Tensor:
    outputs = model.eval()(**batch(model, joints), mode="predict")
    return torch.stack([output.pred_score for output in outputs])


@pytest.mark.parametrize("name", ["stgcn", "aagcn", "stgcnpp"])
def test_like_the_backbone_itself(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    config = load(ROOT / "configs" / "gap" / f"{name}_ntu120.py").model
    config.backbone.base_channels, config.cls_head.in_channels = 8, 32
    config.text_branch.features = "data/text_features/ntu120_minilm.safetensors"
    hook = dict(HOOK, model=config.backbone, layer="gcn.9")
    plain, model = build(config), build({**config, "backbone": hook})
    assert isinstance(model.backbone, type(plain.backbone))
    assert list(model.state_dict()) == list(plain.state_dict())
    expected = gradients(plain, 25)
    assert "loss_con" in expected and expected["backbone.gcn.0.gcn.bn.weight"].any()
    torch.testing.assert_close(gradients(model, 25), expected, rtol=0, atol=0)
    # Tested without the text branch, also by the plain recognizer.
    weights = {k: v for k, v in model.state_dict().items() if "text_branch" not in k}
    del config["text_branch"]
    for kind in ("RecognizerGAP", "RecognizerGCN"):
        tested = build({**config, "type": kind, "backbone": hook})
        tested.load_state_dict(weights, strict=True)
        assert torch.equal(scores(tested, 25), scores(plain, 25))


def test_the_classifier_of_the_model(tmp_path: Path) -> None:
    model, plain, own = recognizer(TUPLE, tmp_path), recognizer(TUPLE), TupleGCN()
    own.load_state_dict(model.backbone.state_dict(), strict=True)
    assert list(plain.state_dict()) == [f"backbone.{name}" for name in own.state_dict()]
    twin, x = copy.deepcopy(model), batch(model)["inputs"][:, 0].permute(0, 4, 2, 3, 1)
    # What is before the layer learns from the texts too, the classifier does not.
    found, loss = gradients(model), own(x)[0].log_softmax(1).diag().mean().neg()
    assert found["loss_con"] and all(value is not None for value in found.values())
    loss.backward()
    torch.testing.assert_close(found["loss_cls"], loss.detach())
    torch.testing.assert_close(found["backbone.fc.weight"], own.fc.weight.grad)
    assert (found["backbone.A"] - own.A.grad).abs().max() > 1e-4
    # A copy is a model of its own; without the branch the scores are the model's.
    assert twin.backbone.A.grad is None and twin.backbone.norm.num_batches_tracked == 0
    model.backbone.A.data.add_(0.1)
    plain.load_state_dict({k: model.state_dict()[k] for k in plain.state_dict()})
    for tested in (model, twin, plain):
        own.load_state_dict(tested.backbone.state_dict())
        torch.testing.assert_close(scores(tested), own.eval()(x)[0].softmax(-1))


def test_ddp(tmp_path: Path) -> None:
    model, store = recognizer(TUPLE, tmp_path), f"file://{tmp_path}/store"
    dist.init_process_group("gloo", init_method=store, rank=0, world_size=1)
    try:
        wrapped = DistributedDataParallel(model)
        for _ in range(2):  # the second complains of parameters that were not used
            losses = wrapped(**batch(model), mode="loss")
            model.parse_losses(losses)[0].backward()
    finally:
        dist.destroy_process_group()


class Arranged(nn.Module):
    def __init__(self, axes: str) -> None:
        super().__init__()
        self.axes, self.norm = axes, nn.Identity()

    def forward(self, x: Tensor) -> None:
        self.norm(einops.rearrange(x, f"n m t v c -> {self.axes}"))


@pytest.mark.parametrize("axes", ["(n m) c t v", "c (v n m) t", "(n m) (c t) v"])
def test_axes(axes: str) -> None:
    model, x = dict(type=Arranged, axes=axes), torch.randn(3, 2, 5, 20, 4)
    backbone = MODELS.build(dict(HOOK, model=model, axes=axes, sizes=dict(c=4)))
    assert torch.equal(backbone(x), x.permute(0, 1, 4, 2, 3))
    # One person and no frames.
    hook = dict(HOOK, model=dict(model, axes="(n m t) v c"), axes="n v c")
    assert MODELS.build(hook)(x[:, :1, :1]).shape == (3, 1, 4, 1, 20)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(layer="nrom"), ["'nrom'", "(did you mean 'norm'?)", "the model has"]),
        (dict(layer=""), ["layer='' is no module"]),
        (dict(layer="unused"), ["'unused' is not called"]),
        (dict(layer="fc"), ["[3, 3]", "expected 4 dims. Received 2-dim", "Set axes"]),
        (dict(axes="(n m) t v c"), ["8 != 20", "20 joints", "an earlier layer"]),
        (dict(axes="(n m) c x v"), ["axes='(n m) c x v'", "('x')", "v (joints)"]),
        (dict(axes="n m) c t v"), ["(')')", "in parentheses"]),
        (dict(axes="(n m) c t"), ["no v", "pooled from the joints"]),
        (dict(sizes=dict(m=1)), ["'n': 3, 'm': 1", "6 != 3", "sizes=dict(m=2)"]),
        (dict(sizes=dict(p=1)), ["{'p': 1} has 'p'"]),
        (dict(input_axes="n c t v"), ["input_axes='n c t v'", "no m"]),
        (dict(logits=False), ["model.backbone.logits is False", "ForeignHead"]),
        (dict(model=dict(type=TupleGCN, num_class=4)), ["has 4 classes", "is 3"]),
        (dict(layer="l1"), ["in_channels is 8", "in_channels=4"]),
        (dict(model=STGCN, layer="gcn.0"), ["(3, 2, 64, 8, 20)", "logits=False"]),
        (dict(model=STGCN, layer="gcn.1"), ["'gcn.1'", "gcn has ['0']"]),
    ],
)
def test_what_is_wrong_is_told(change: dict[str, Any], words: list[str]) -> None:
    axes = None if change.get("model") is STGCN else "n c t v m"
    with raises(ValueError, *words):
        gradients(recognizer({**TUPLE, "input_axes": axes, **change}))
