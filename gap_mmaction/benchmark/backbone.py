"""CTR-GCN against another implementation of it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from gap_mmaction.models import CTRGCN

from .measure import compare

DEFAULT_CLASS = "CTRGCN"


@dataclass(frozen=True)
class Shape:
    """A data set's input: clips, persons, frames, and the layout of its joints."""

    clips: int
    persons: int
    frames: int
    layout: str


SHAPES = {
    "ntu": Shape(8, 2, 64, "nturgb+d"),
    "nwucla": Shape(16, 1, 52, "nw-ucla"),
}
WORKS = ("eval", "step")


def load_class(against: str) -> type[nn.Module]:
    """Import the other backbone.

    Args:
        against: ``PATH_OR_MODULE[:CLASS]``: a file, a folder with an ``__init__.py``
            or a module's name, and a class in it, ``CTRGCN`` by default. The class
            takes ``graph_cfg`` and ``num_person``, and has our state dict.

    Raises:
        FileNotFoundError: If there is no such file or module.
        KeyError: If there is no such class in it.
    """
    source, colon, name = against.rpartition(":")
    if not colon:
        source, name = against, DEFAULT_CLASS
    # Another CTRGCN registers itself under the same name.
    ours = MODELS.module_dict.pop(DEFAULT_CLASS, None)
    try:
        module = _import(source)
    finally:
        if ours is not None:
            MODELS.module_dict[DEFAULT_CLASS] = ours
    if not hasattr(module, name):
        raise KeyError(
            f"--against {against}: {source} has no class {name!r}; name the one that "
            "is meant, as in PATH_OR_MODULE:CLASS"
        )
    return getattr(module, name)


def measure_backbone(
    other: type[nn.Module],
    shapes: Sequence[str],
    works: Sequence[str],
    pairs: int,
    device: torch.device,
    amp: bool = False,
    channels_last: bool = False,
    small: bool = False,
) -> Iterator[dict[str, Any]]:
    """Compare forward passes for testing and training steps.

    Args:
        other: The class to compare with.
        shapes: Keys of :data:`SHAPES`.
        works: ``'eval'``, a forward pass without gradients, or ``'step'``, forward and
            backward passes in training.
        pairs: How often each is timed.
        device: Where.
        amp: Whether under autocast to bfloat16.
        channels_last: Whether the weights of both are in the channels-last format.
        small: Whether with one clip of eight frames, to try the command out.

    Yields:
        For each shape and work a summary, see
        :meth:`gap_mmaction.benchmark.measure.Comparison.summary`, with ``work`` and
        ``difference``, the largest one of the outputs relative to the largest output.
    """
    for key in shapes:
        shape = SHAPES[key]
        networks, x = _build(other, shape, device, small)
        if channels_last:
            networks = [net.to(memory_format=torch.channels_last) for net in networks]
        for work in works:
            for network in networks:
                network.train(work == "step")
            ours, theirs = (_Work(net, x, work == "step", amp) for net in networks)
            row = compare(ours, theirs, pairs, device).summary()
            difference = _difference(ours.forward(), theirs.forward())
            yield dict(work=f"{key} {work}", difference=difference, **row)


class _Work:
    """A forward pass, or one with its backward pass."""

    def __init__(self, network: nn.Module, x: Tensor, step: bool, amp: bool) -> None:
        self.network, self.x, self.step, self.amp = network, x, step, amp

    def forward(self) -> Tensor:
        with torch.autocast(self.x.device.type, torch.bfloat16, enabled=self.amp):
            return self.network(self.x)

    def __call__(self) -> None:
        with torch.set_grad_enabled(self.step):
            out = self.forward()
            if self.step:
                out.float().mean().backward()
        self.network.zero_grad(set_to_none=True)


def _build(
    other: type[nn.Module], shape: Shape, device: torch.device, small: bool
) -> tuple[list[nn.Module], Tensor]:
    torch.manual_seed(0)
    kwargs: dict[str, Any] = dict(
        graph_cfg=dict(layout=shape.layout, mode="spatial"), num_person=shape.persons
    )
    ours = CTRGCN(**kwargs)
    # A fresh model starts as its residual paths, and most of it does not matter.
    for name, parameter in ours.named_parameters():
        if name.endswith("alpha"):
            nn.init.constant_(parameter, 0.5)
        elif name.endswith("gcn1.bn.weight"):
            nn.init.ones_(parameter)
    clips, frames = (1, 8) if small else (shape.clips, shape.frames)
    joints = ours.skeleton.num_joints
    x = torch.randn(clips, shape.persons, frames, joints, 3)
    _calibrate(ours, x[:4])
    theirs = other(**kwargs)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    return [ours.to(device), theirs.to(device)], x.to(device)


def _calibrate(network: nn.Module, x: Tensor) -> None:
    """Set the running statistics to those of data, or activations would grow."""
    norms = [
        m for m in network.modules() if isinstance(m, nn.modules.batchnorm._NormBase)
    ]
    kept = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        network.train()(x)
    for norm, momentum in zip(norms, kept):
        norm.momentum = momentum


def _difference(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


def _import(source: str) -> Any:
    path = Path(source)
    if path.is_dir():
        path = path / "__init__.py"
    if path.suffix != ".py":
        try:
            return importlib.import_module(source)
        except ModuleNotFoundError as error:
            if error.name is None or not source.startswith(error.name):
                raise
            raise FileNotFoundError(
                f"--against {source}: there is no such file, package or module"
            ) from error
    if not path.is_file():
        raise FileNotFoundError(f"--against {source}: there is no file {path}")
    folder = [str(path.parent)] if path.name == "__init__.py" else None
    name = "gap_mmaction_benchmark_against"
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=folder
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
