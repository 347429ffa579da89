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
from mmengine.registry import init_default_scope
from torch import nn
from torch.multiprocessing.spawn import spawn

from gap_mmaction import GAPLoss
from tests.models.text_common import model_config, save_tiny_hf, write_descriptions
from tests.processes import ROOT

WORLD = 2
BATCH = 16
# The last batch is smaller; with 21, a sample is dealt out twice to two ranks.
SIZES = (20, 21)
TEXTS = ("none", "fixed", "tuned", "bert")
CASES = [(text, size) for text in TEXTS for size in SIZES]
EXACT: dict[str, Any] = dict(rtol=1e-9, atol=1e-10)


def build(folder: str, text: str) -> Any:
    torch.manual_seed(0)
    init_default_scope("mmaction")
    encoder = dict(type="EmbeddingTextEncoder", frozen=text == "fixed")
    if text == "bert":
        encoder = dict(type="HFTextEncoder", model=f"{folder}/bert", frozen=False)
    prompts = dict(descriptions=f"{folder}/descriptions.yaml", seed=4)
    loss = dict(target="softmax", learnable=True)
    branch = dict(prompts=prompts, encoder=encoder, loss=loss)
    model = MODELS.build(model_config(text_branch=None if text == "none" else branch))
    model.init_weights()
    model.double()
    torch.manual_seed(2)
    with torch.no_grad():
        # Some start at zero, and what lies before them has no gradient then.
        for parameter in model.backbone.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    model.train()
    # Statistics of a rank's own part are others.
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.eval()
    return model


def batch(indices: list[int]) -> dict[str, Any]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(max(SIZES), 1, 1, 6, 20, 3, generator=generator)
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
        name.removeprefix("module."): parameter.grad.clone()  # of DDP
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }
    detached = {k: v.detach() for k, v in terms.items()}
    return dict(indices=indices, losses=detached, grads=grads)


def loss_of_ones_own_loop(rows: slice, distributed: bool = False) -> list[torch.Tensor]:
    """Returns GAPLoss and its gradients, of the projections and of the map."""
    torch.manual_seed(6)
    data = f"{ROOT}/data/{{}}/nwucla"
    gap: nn.Module = GAPLoss(
        data.format("descriptions") + ".yaml",
        8,
        "nw-ucla",
        features=data.format("text_features") + "_minilm.safetensors",
        seed=4,
    ).double()
    x = torch.randn(BATCH, 8, 3, 20, dtype=torch.float64, requires_grad=True)
    labels = torch.arange(BATCH) % 10
    if distributed:
        gap = nn.parallel.DistributedDataParallel(gap, broadcast_buffers=False)
    loss = gap(x[rows], labels[rows], axes="n c t v")
    loss.backward()
    leaves = [x, *gap.parameters()]
    return [loss.detach(), *(leaf.grad for leaf in leaves if leaf.grad is not None)]


def process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD
    )
    results = []
    for text, size in CASES:
        single = build(folder, text)
        model = nn.parallel.DistributedDataParallel(single, broadcast_buffers=False)
        own = batches(size, BATCH // WORLD)
        results.append([losses_and_gradients(model, indices) for indices in own])
    torch.save(results, f"{folder}/{rank}.pt")
    dealt = slice(rank, None, WORLD)  # as a DistributedSampler does
    torch.save(loss_of_ones_own_loop(dealt, True), f"{folder}/own_{rank}.pt")
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
    text, size = case
    ranks = [
        torch.load(folder / f"{rank}.pt", weights_only=True)[CASES.index(case)]
        for rank in range(WORLD)
    ]
    model = build(str(folder), text)
    expected_batches = list(batches(size, BATCH))
    # The sampler fills the last batch up from the beginning.
    expected_batches[-1] += expected_batches[0][: size % WORLD]
    assert [len(indices) for indices in expected_batches] == [16, size - 16 + size % 2]
    for step, indices in enumerate(expected_batches):
        parts = [rank[step] for rank in ranks]
        dealt = zip(*(part["indices"] for part in parts))
        assert [index for pair in dealt for index in pair] == indices
        expected = losses_and_gradients(model, indices)
        assert expected["losses"]["loss_cls"] > 0.1
        assert ("loss_con" in expected["losses"]) == (text != "none")
        tuned = any(".encoder." in name for name in expected["grads"])
        assert tuned == (text in ("tuned", "bert"))
        for name, value in expected["losses"].items():
            found = [part["losses"][name] for part in parts]
            # Each rank has its own part's classification loss, and all of the other.
            if name == "loss_cls":
                found = [sum(found) / WORLD]
            for one in found:
                torch.testing.assert_close(one, value, **EXACT)
        for part in parts:
            torch.testing.assert_close(part["grads"], expected["grads"], **EXACT)


def test_loss_of_ones_own_loop(folder: Path) -> None:
    ranks = [
        torch.load(folder / f"own_{rank}.pt", weights_only=True)
        for rank in range(WORLD)
    ]
    loss, of_map, *of_projections = loss_of_ones_own_loop(slice(BATCH))
    assert loss > 0.1
    assert len(of_projections) == 10  # weight and bias of five parts
    # DDP takes the mean over the ranks, of which each has its own clips alone.
    torch.testing.assert_close((ranks[0][1] + ranks[1][1]) / WORLD, of_map, **EXACT)
    for rank in ranks:
        torch.testing.assert_close(rank[0], loss, **EXACT)
        torch.testing.assert_close(rank[2:], of_projections, **EXACT)
