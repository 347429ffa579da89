"""One process with a batch of 16 and two with 8 compute the same, in float64."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.dataset import DefaultSampler
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce
from torch.multiprocessing.spawn import spawn

from tests.models.text_common import model_config, save_tiny_hf, write_descriptions

WORLD = 2
BATCH = 16
# The last batch is smaller; with 21, a sample is dealt out twice to two ranks.
SIZES = (20, 21)
KINDS = [("frozen", text) for text in ("none", "fixed", "tuned", "bert")]
KINDS += [("synchronized", text) for text in ("fixed", "tuned")]
CASES = [(*kind, size) for kind in KINDS for size in SIZES]
EXACT: dict[str, Any] = dict(rtol=1e-9, atol=1e-10)


class SynchronizedNorm(nn.Module):
    """What SyncBatchNorm computes, which torch has for accelerators only."""

    def __init__(self, norm: nn.BatchNorm1d | nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        shape = (1, -1, *[1] * (x.dim() - 2))
        axes = [0, *range(2, x.dim())]
        count = x.new_tensor([x.numel() // x.shape[1]])
        sums = torch.cat([x.sum(axes), x.square().sum(axes), count])
        if dist.is_initialized():
            sums = all_reduce(sums)
        mean, square = (sums[:-1] / sums[-1]).chunk(2)
        scale = self.norm.weight / (square - mean**2 + self.norm.eps).sqrt()
        shift = self.norm.bias - mean * scale
        return x * scale.view(shape) + shift.view(shape)


def synchronize(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, (nn.BatchNorm1d, nn.BatchNorm2d)):
            setattr(module, name, SynchronizedNorm(child))
        else:
            synchronize(child)


def build(folder: str, norm: str, text: str) -> Any:
    torch.manual_seed(0)
    init_default_scope("mmaction")
    encoder = dict(type="EmbeddingTextEncoder", frozen=text == "fixed")
    if text == "bert":
        encoder = dict(type="HFTextEncoder", model=f"{folder}/bert", frozen=False)
    branch = dict(
        prompts=dict(descriptions=f"{folder}/descriptions.yaml", seed=4),
        encoder=encoder,
        loss=dict(target="softmax", learnable=True),
    )
    model: Any = MODELS.build(
        model_config(text_branch=None if text == "none" else branch)
    )
    model.init_weights()
    model.double()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        # Some start at zero, and what lies before them has no gradient then.
        for parameter in model.backbone.parameters():
            noise = torch.randn(parameter.shape, generator=generator).double()
            parameter.add_(0.2 * noise)
    model.train()
    if norm == "frozen":
        for module in model.modules():
            if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
                module.eval()
    else:
        synchronize(model.backbone)
    return model


def batch(indices: list[int]) -> dict[str, Any]:
    x = torch.randn(
        (max(SIZES), 1, 1, 6, 20, 3), generator=torch.Generator().manual_seed(1)
    )
    samples = [ActionDataSample().set_gt_label(i * i % 5 % 3) for i in indices]
    return dict(inputs=x[indices].double(), data_samples=samples)


def batches(size: int, batch_size: int) -> Iterator[list[int]]:
    indices = list(DefaultSampler(range(size), seed=5))
    for start in range(0, len(indices), batch_size):
        yield indices[start : start + batch_size]


def losses_and_gradients(model: Any, indices: list[int]) -> dict[str, Any]:
    losses = model(**batch(indices), mode="loss")
    terms = {k: v for k, v in losses.items() if k.startswith(("loss", "con"))}
    model.zero_grad()
    sum(v for k, v in terms.items() if k.startswith("loss")).backward()
    grads = {
        # DDP prepends its own name.
        name.removeprefix("module."): parameter.grad.clone()
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    detached = {k: v.detach() for k, v in terms.items()}
    return dict(indices=indices, losses=detached, grads=grads)


def process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD
    )
    results = []
    for norm, text, size in CASES:
        model = nn.parallel.DistributedDataParallel(
            build(folder, norm, text), broadcast_buffers=False
        )
        results.append(
            [losses_and_gradients(model, b) for b in batches(size, BATCH // WORLD)]
        )
    torch.save(results, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    write_descriptions(folder)
    save_tiny_hf(folder / "bert", "bert")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
        spawn(process, args=(str(folder),), nprocs=WORLD)
    return folder


@pytest.mark.parametrize("case", CASES, ids=str)
def test_losses_and_gradients(folder: Path, case: Any) -> None:
    norm, text, size = case
    ranks = [
        torch.load(folder / f"{rank}.pt", weights_only=True)[CASES.index(case)]
        for rank in range(WORLD)
    ]
    model = build(str(folder), norm, text)
    expected_batches = list(batches(size, BATCH))
    # The sampler fills the last batch up from the beginning.
    expected_batches[-1] += expected_batches[0][: size % WORLD]
    assert [len(indices) for indices in expected_batches] == [16, size - 16 + size % 2]
    for step, indices in enumerate(expected_batches):
        parts = [rank[step] for rank in ranks]
        dealt = [
            index for pair in zip(*(p["indices"] for p in parts)) for index in pair
        ]
        assert dealt == indices
        expected = losses_and_gradients(model, indices)
        assert expected["losses"]["loss_cls"] > 0.1
        assert ("loss_con" in expected["losses"]) == (text != "none")
        tuned = any(".encoder." in name for name in expected["grads"])
        assert tuned == (text in ("tuned", "bert"))
        # Normalization cancels a bias before it.
        moving = [bool(grad.any()) for grad in expected["grads"].values()]
        assert sum(moving) > 0.8 * len(moving)
        for name, value in expected["losses"].items():
            # Each rank has its own part's classification loss, and all of the other.
            if name == "loss_cls":
                mean = sum(part["losses"][name] for part in parts) / WORLD
                torch.testing.assert_close(mean, value, **EXACT)
            else:
                for part in parts:
                    torch.testing.assert_close(part["losses"][name], value, **EXACT)
        for part in parts:
            torch.testing.assert_close(part["grads"], expected["grads"], **EXACT)


def test_accumulated_gradients(tmp_path: Path) -> None:
    """Two batches of 8 are one of 16 for the classifier, not for the contrast."""
    write_descriptions(tmp_path)
    indices = list(range(16))
    for text, same in (("none", True), ("fixed", False)):
        weights = []
        for count in (1, 2):
            model = build(str(tmp_path), "frozen", text)
            wrapper = OptimWrapper(
                torch.optim.SGD(model.parameters(), lr=0.1), accumulative_counts=count
            )
            wrapper.initialize_count_status(model, 0, count)
            before = model.cls_head.fc.weight.detach().clone()
            for part in range(count):
                data = batch(indices[part::count])
                with wrapper.optim_context(model):
                    loss, _ = model.parse_losses(model(**data, mode="loss"))
                wrapper.update_params(loss)
            assert not torch.equal(model.cls_head.fc.weight, before)
            weights.append(model.state_dict())
        if same:
            torch.testing.assert_close(weights[0], weights[1], **EXACT)
        else:
            key = "text_branch.head.projections.0.weight"
            assert (weights[0][key] - weights[1][key]).abs().max() > 1e-6
