#!/usr/bin/env python
"""Count what a training step would ask of a GPU, on a machine that has none.

Tensors on the device are fakes that have a shape and no values; what stays on the CPU
is computed. A tensor of the CPU among those of the device raises, as it would there.

Examples:
    python tests/benchmarks/count_kernels.py configs/gap/ctrgcn_ntu120.py --amp
    python tests/benchmarks/count_kernels.py configs/gap/ctrgcn_ntu120.py --amp \
        --part backbone --against ../mmaction2/projects/ctrgcn/models:CTRGCN
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from gap_mmaction.skeletons import get_skeleton  # noqa: E402
from tests.benchmarks.speed_cases import load_class  # noqa: E402

DEVICE = torch.device("cuda", 0)
AMP = "mmengine.optim.optimizer.amp_optimizer_wrapper"
KINDS = ("matmul", "norm", "elementwise", "copy")
PARTS = ("backbone", "text", "step")

_MATMULS = "mm bmm addmm baddbmm mv dot convolution convolution_backward attention"
_COPIES = "_to_copy clone cat stack copy_ fill slice_backward select_backward embedding"
_SILENT = "empty empty_like empty_strided new_empty new_empty_strided detach alias "
_SILENT += "lift_fresh _unsafe_view device set_ _has_compatible_shallow_copy_type"
# Operations of several kernels: a bias that is written before the product is added, the
# zeros that a part of a gradient is put into, one kernel for each input of a gradient.
_MORE = {
    "baddbmm": 1,
    "slice_backward": 1,
    "select_backward": 1,
    "max_pool2d_with_indices_backward": 1,
    "embedding_dense_backward": 1,
    "convolution_backward": 1,
}
# Tensors that one launch of an operation on lists takes.
_LIST_LENGTH = 48


class Counts:
    """Launches and bytes by kind, FLOPs, waits and copies of what a device was asked.

    Attributes:
        waits: For each time that the host waits for the device, the line that asked.
        sent: The same of the copies to the device.
    """

    def __init__(self) -> None:
        self.launches: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self.flops = 0
        self.waits: list[str] = []
        self.sent: list[str] = []

    def add(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Adds an operation on the device."""
        name = func.overloadpacket.__name__
        results = [t for t in tree_leaves(out) if isinstance(t, Tensor)]
        if (
            func.is_view
            or name in _SILENT.split()
            or not any(t.numel() for t in results)
        ):
            return
        inputs = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        moved = sum(t.numel() * t.element_size() for t in inputs + results)
        kind = _kind(name)
        if "batch_norm" in name:  # the statistics first, then what they are for
            moved += inputs[0].numel() * inputs[0].element_size()
        if name == "baddbmm":
            moved += 2 * results[0].numel() * results[0].element_size()
        launches = 1 + _MORE.get(name, 0)
        if name.startswith(("_foreach", "_fused", "_amp_foreach")):
            lengths = [len(arg) for arg in args if isinstance(arg, (list, tuple))]
            longest = max(lengths, default=1)
            launches = -(-longest // _LIST_LENGTH)
        self.launches[kind] += launches
        self.operations[name] += launches
        self.bytes[kind] += moved
        if (count := flop_registry.get(func.overloadpacket)) is not None:
            self.flops += count(*args, **kwargs, out_val=out)

    @property
    def row(self) -> str:
        """A line of the table."""
        total, moved = sum(self.launches.values()), sum(self.bytes.values()) / 1e9
        kinds = " | ".join(
            f"{self.launches[kind]:,} / {self.bytes[kind] / 1e9:.1f}" for kind in KINDS
        )
        rest = f"{self.flops / 1e9:,.0f} | {len(self.waits)} | {len(self.sent)}"
        return f"{total:,} | {moved:.1f} | {kinds} | {rest} |"


class CountingMode(TorchDispatchMode):
    """Computes on the CPU, counts on the device."""

    def __init__(self) -> None:
        super().__init__()
        self.fakes = FakeTensorMode(allow_non_fake_inputs=True)
        self.counts = Counts()

    def fake(self, tensor: Tensor) -> Tensor:
        """Returns a stand-in on the device for a tensor."""
        return FakeTensor(self.fakes, tensor.detach().to("meta"), DEVICE)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Sends an operation to where its tensors are."""
        kwargs = kwargs or {}
        name, device = func.overloadpacket.__name__, kwargs.get("device")
        tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        fakes = [t for t in tensors if isinstance(t, FakeTensor)]
        to_device = device is not None and torch.device(device).type == "cuda"
        if not fakes and not to_device:
            return func(*args, **kwargs)
        if name in ("_local_scalar_dense", "item", "is_nonzero", "equal"):
            self.counts.waits.append(_caller())
            return name == "equal" or torch.zeros((), dtype=args[0].dtype).item()
        if name in ("_to_copy", "copy_") and fakes:
            target = torch.device(device or args[0].device)
            if target.type == "cpu" and (device or not isinstance(args[0], FakeTensor)):
                if not kwargs.get("non_blocking"):
                    self.counts.waits.append(_caller())
                return torch.zeros(
                    args[-1].shape, dtype=kwargs.get("dtype") or args[0].dtype
                )
        sends = [t for t in tensors if t.device.type == "cpu" and t.ndim]
        if sends and name in ("_to_copy", "copy_"):
            self.counts.sent.append(_caller())
        elif sends:
            shapes = [(str(t.device), list(t.shape)) for t in tensors]
            raise RuntimeError(f"{name}: tensors on several devices: {shapes}")
        args, kwargs = tree_map_only(Tensor, self._on_device, (args, kwargs))
        with self.fakes:  # which know no fused optimizer
            out = args[0] if "_fused_" in name else func(*args, **kwargs)
        self.counts.add(func, args, kwargs, out)
        return None if "_fused_" in name else out

    def _on_device(self, tensor: Tensor) -> Tensor:
        return tensor if isinstance(tensor, FakeTensor) else self.fake(tensor)


def _kind(name: str) -> str:
    if name in _MATMULS.split() or "attention" in name:
        return "matmul"
    if "norm" in name:
        return "norm"
    return "copy" if any(word in name for word in _COPIES.split()) else "elementwise"


def _caller() -> str:
    """Returns the line of the package, or else of upstream, that asked."""
    frames = [f for f in traceback.extract_stack() if "/torch/" not in f.filename]
    frames = [f for f in frames if f.filename != __file__]
    ours = [f for f in frames if f.filename.startswith(str(ROOT / "gap_mmaction"))]
    frame = (ours or frames)[-1]
    mark = "ours" if ours and frames[-1] is frame else "upstream"
    if ours and mark == "upstream" and "/mmaction/" not in frames[-1].filename:
        mark = "ours"
    return f"{mark}: {'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno}"


def backward(root: Tensor, gradient: Tensor | None = None, *_: Any, **__: Any) -> None:
    """Runs a backward pass without autograd's engine, which asks the driver."""
    first: Any = root.grad_fn
    waiting, seen, todo = Counter[Any](), {first}, [first]
    while todo:
        for node, _index in todo.pop().next_functions:
            if node is None:
                continue
            waiting[node] += 1
            if node not in seen:
                seen.add(node)
                todo.append(node)
    found: dict[Any, dict[int, Tensor]] = defaultdict(dict)
    found[first][0] = torch.ones_like(root) if gradient is None else gradient
    todo = [first]
    with torch.no_grad():
        while todo:
            node = todo.pop()
            got = found.pop(node, {})
            if hasattr(node, "variable"):
                leaf = node.variable
                if got:
                    leaf.grad = got[0] if leaf.grad is None else leaf.grad + got[0]
                continue
            call: Callable[..., Any] = node if callable(node) else node.apply
            grads: Any = [None] * len(node.next_functions)
            if got:
                grads = call(*(got.get(i) for i in range(len(node._input_metadata))))
            grads = grads if isinstance(grads, (tuple, list)) else (grads,)
            for (target, index), grad in zip(node.next_functions, grads):
                if target is None:
                    continue
                if grad is not None:
                    of_target = found[target]
                    grad = _like(grad, target._input_metadata[index])
                    known = of_target.get(index)
                    of_target[index] = grad if known is None else known + grad
                waiting[target] -= 1
                if not waiting[target]:
                    todo.append(target)


def _like(grad: Tensor, meta: Any) -> Tensor:
    """Casts and sums a gradient up as the engine does."""
    if tuple(grad.shape) != tuple(meta.shape):
        grad = grad.sum_to_size(tuple(meta.shape))
    return grad if grad.dtype == meta.dtype else grad.to(meta.dtype)


def fused_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
) -> Tensor:
    """Chooses the kernel of attention that a GPU would."""
    aten, qkv = torch.ops.aten, (query, key, value)
    if attn_mask is None:
        return aten._scaled_dot_product_flash_attention(*qkv, dropout_p, is_causal)[0]
    bias = attn_mask.to(query.dtype)
    if attn_mask.dtype is torch.bool:
        bias = torch.zeros_like(bias).masked_fill(~attn_mask, -torch.inf)
    bias = bias.expand(*query.shape[:3], key.shape[2])
    return aten._scaled_dot_product_efficient_attention(*qkv, bias, True)[0]


@contextlib.contextmanager
def counting() -> Iterator[CountingMode]:
    """Counts; torch and MMEngine take the machine for one with a GPU."""
    mode = CountingMode()
    with mode.fakes:  # installs a guard of devices that asks no driver
        pass
    with contextlib.ExitStack() as stack:
        for name, value in (
            ("torch.cuda.is_available", lambda: True),
            ("torch.amp.grad_scaler.GradScaler.is_enabled", lambda scaler: True),
            (
                "mmengine.optim.optimizer.amp_optimizer_wrapper.is_cuda_available",
                lambda: True,
            ),
            ("torch.Tensor.pin_memory", lambda tensor, *_: tensor),
            ("torch.Tensor.backward", backward),
            ("torch.nn.functional.scaled_dot_product_attention", fused_attention),
            ("mmengine.runner.amp.get_device", lambda: "cuda"),
            ("torch.cuda._lazy_init", lambda: None),
            ("torch.cuda.Event", mock.MagicMock()),
            ("torch.cuda.is_current_stream_capturing", lambda: False),
        ):
            stack.enter_context(mock.patch(name, value))
        stack.enter_context(mode)
        yield mode


def move(mode: CountingMode, model: nn.Module) -> None:
    """Puts a model's parameters and buffers on the device."""
    module: Any
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                fake = nn.Parameter(mode.fake(parameter), parameter.requires_grad)
                module._parameters[name] = fake
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = mode.fake(buffer)
        if hasattr(module, "_device"):  # a data preprocessor's
            module._device = DEVICE


def count_backbone(backbone: nn.Module, shape: list[int], dtype: torch.dtype) -> Counts:
    """Counts a forward and a backward pass on ``[N, M, T, V, C]``."""
    with counting() as mode:
        move(mode, backbone)
        x = mode.fake(torch.empty(shape, device="meta"))
        with _autocast(dtype):
            out = backbone(x)
        backward(out, torch.ones_like(out))
    return mode.counts


def count_step(config: Config, clips: int, frames: int, dtype: torch.dtype) -> Counts:
    """Counts a step from a batch of the loader to the optimizer's."""
    init_default_scope("mmaction")
    model: Any = build(config).train()
    skeleton = get_skeleton(config.model.data_preprocessor.layout)
    persons = config.model.backbone.get("num_person", 2)
    joints, columns = skeleton.num_joints, config.model.backbone.get("in_channels", 3)
    classes = config.model.cls_head.num_classes
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(classes, (clips,), generator=generator).tolist()
    samples = [ActionDataSample().set_gt_label(label) for label in labels]
    inputs = [torch.rand(1, persons, frames, joints, columns) for _ in range(clips)]
    settings = config.optim_wrapper.to_dict()
    settings["optimizer"]["fused"] = True  # as SkeletonRunner has it on CUDA
    settings["type"] = "OptimWrapper" if dtype is torch.float32 else "AmpOptimWrapper"
    with counting() as mode:
        move(mode, model)
        wrapper = build_optim_wrapper(model, settings)
        model.train_step(dict(inputs=inputs, data_samples=samples), wrapper)
        mode.counts = Counts()  # the first step makes what later ones have
        model.train_step(dict(inputs=inputs, data_samples=samples), wrapper)
    return mode.counts


def build(config: Config) -> nn.Module:
    """Builds a recognizer, of random weights where they would be downloaded."""
    settings = config.model.to_dict()
    encoder = (settings.get("text_branch") or {}).get("encoder") or {}
    encoder.pop("pretrained", None)
    if encoder:
        encoder["pretrained"] = None
    return MODELS.build(settings)


def _autocast(dtype: torch.dtype) -> Any:
    return torch.autocast("cuda", dtype, enabled=dtype is not torch.float32)


def count_text(config: Config, clips: int, frames: int, dtype: torch.dtype) -> Counts:
    """Counts the text branch, forwards and backwards, from a feature map on."""
    init_default_scope("mmaction")
    model: Any = build(config).train()
    joints = get_skeleton(config.model.data_preprocessor.layout).num_joints
    shape = [clips, 2, model.cls_head.in_channels, frames // 4, joints]
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(model.cls_head.num_classes, (clips,), generator=generator)
    with counting() as mode:
        move(mode, model)
        x = mode.fake(torch.empty(shape, device="meta")).requires_grad_()
        with _autocast(dtype):
            losses = model.text_branch(x, labels)
        backward(losses["loss_con"])
    return mode.counts


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config", type=Path)
    add("--part", nargs="+", choices=PARTS, default=PARTS)
    add("--amp", action="store_true", help="autocast to float16")
    add("--clips", type=int, default=25, help="batch size (default: %(default)s)")
    add("--frames", type=int, default=64, help="of a clip (default: %(default)s)")
    add("--against", metavar="PATH[:CLASS]", help="another CTR-GCN, beside ours")
    add("--operations", action="store_true", help="list how often each one runs")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Prints the table."""
    args = parse_args(argv)
    config = Config.fromfile(args.config)
    dtype = torch.float16 if args.amp else torch.float32
    settings = config.model.backbone.to_dict()
    skeleton = get_skeleton(settings["graph_cfg"]["layout"])
    shape = [args.clips, settings.get("num_person", 2), args.frames]
    shape += [skeleton.num_joints, settings.get("in_channels", 3)]
    found = {}
    if "backbone" in args.part:
        init_default_scope("mmaction")
        found["backbone"] = count_backbone(MODELS.build(settings), shape, dtype)
    if args.against:
        names = ("graph_cfg", "num_person")
        common = {name: settings[name] for name in names if name in settings}
        other = load_class(args.against)(**common)
        found[f"backbone of {args.against}"] = count_backbone(other, shape, dtype)
    for part, count in (("text", count_text), ("step", count_step)):
        if part in args.part:
            found[part] = count(config, args.clips, args.frames, dtype)
    heads = " | ".join(f"{kind}, launches / GB" for kind in KINDS)
    print(f"| part | launches | GB | {heads} | GFLOP | waits | sent |")
    print("|---|" + "---:|" * 9)
    for name, counts in found.items():
        print(f"| {name} | {counts.row}")
    for name, counts in found.items():
        places = Counter([f"waits, {at}" for at in counts.waits])
        places.update(f"sends, {at}" for at in counts.sent)
        for place, times in places.most_common():
            print(f"{name} {place} ({times})")
        if args.operations:
            print(name, dict(counts.operations.most_common()))


if __name__ == "__main__":
    main()
