"""Two processes compute the loss and the gradients of the global batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from mmaction.registry import MODELS
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn

from gap_mmaction.models.text.gather import gather_from_ranks
from tests.models.text_common import write_descriptions

WORLD = 2
BATCH = 3


def _branch(folder: str) -> nn.Module:
    torch.manual_seed(0)
    # Without a draw, which would depend on the rank.
    slots = [
        dict(name="all", joints="global", text="label"),
        dict(name="arms", joints="hand-arm", text=["label", "hand", "arm"]),
    ]
    branch = MODELS.build(
        dict(
            type="TextBranch",
            prompts=dict(descriptions=f"{folder}/descriptions.yaml", slots=slots),
            encoder=dict(type="EmbeddingTextEncoder"),
            loss=dict(target="softmax", learnable=True),
            in_channels=4,
            layout="nw-ucla",
        )
    )
    branch.init_weights()
    return branch


def _batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    size = (WORLD * BATCH, 1, 4, 2, 20)
    # The class in both processes, one in each, and two of a kind in one.
    return torch.randn(size, generator=generator), torch.tensor([0, 1, 1, 0, 2, 2])


def _run(branch: nn.Module, x: Tensor, labels: Tensor) -> dict[str, Any]:
    x = x.clone().requires_grad_()
    losses = branch(x, labels)
    losses["loss_con"].backward()
    # DDP prepends its own name.
    grads = {name.split("module.")[-1]: p.grad for name, p in branch.named_parameters()}
    return dict(
        losses={k: v.detach() for k, v in losses.items()}, grads=grads, x=x.grad
    )


def _process(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD
    )
    part = slice(rank * BATCH, (rank + 1) * BATCH)
    x, labels = _batch()
    # Complains of parameters without a gradient, and takes the gradients' mean.
    branch = nn.parallel.DistributedDataParallel(_branch(folder))
    result = _run(branch, x[part], labels[part])
    gathered = gather_from_ranks(torch.full((2, 2), float(rank)))
    result["order"] = gathered[:, 0].tolist()
    torch.save(result, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_loss_and_gradients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    write_descriptions(tmp_path)
    spawn(_process, args=(str(tmp_path),), nprocs=WORLD)
    expected = _run(_branch(str(tmp_path)), *_batch())
    assert {"loss_con.logit_scale", "head.projections.1.weight"} < set(
        expected["grads"]
    )
    for rank in range(WORLD):
        result = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert result["order"] == [0, 0, 1, 1]
        torch.testing.assert_close(result["losses"], expected["losses"])
        torch.testing.assert_close(result["grads"], expected["grads"])
        # DDP halves the parameters' gradients, so a rank's own part is doubled.
        part = expected["x"][rank * BATCH : (rank + 1) * BATCH]
        torch.testing.assert_close(result["x"] / WORLD, part)


def test_one_process() -> None:
    x = torch.rand(3, 2, requires_grad=True)
    assert gather_from_ranks(x) is x
