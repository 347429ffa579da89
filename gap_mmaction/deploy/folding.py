"""Batch normalizations of a trained model become part of what stands around them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeVar

from mmaction.models.utils import mstcn, unit_aagcn, unit_tcn
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from gap_mmaction.models.backbones.ctr_baseline import SharedGraphConv
from gap_mmaction.models.backbones.ctrgcn_units import RefinementGraphConv, TemporalConv

_Model = TypeVar("_Model", bound=nn.Module)


class ChannelAffine(nn.Module):
    """A factor and a summand per channel: what a normalization is once trained.

    Args:
        scale: ``[C]``; ``None`` for a factor of one.
        shift: ``[C]``.
    """

    scale: Tensor | None
    shift: Tensor

    def __init__(self, scale: Tensor | None, shift: Tensor) -> None:
        super().__init__()
        self.num_features = len(shift)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[N, C, ...]`` to the same shape."""
        shape = [-1, *[1] * (x.dim() - 2)]
        if self.scale is not None:
            x = x * self.scale.view(shape)
        return x + self.shift.view(shape)


def fold_batch_norms(model: _Model) -> tuple[_Model, dict[str, int]]:
    """Copy a trained model, with its batch normalizations folded.

    A normalization right behind a convolution becomes part of its weight and bias. One
    behind a graph convolution becomes part of the convolutions that it sums over; where
    the graph product comes after them (CTR-GCN), its summand goes into the path around
    the product, or stays as a bias. Any other one, as that of the input, becomes a
    factor and a summand per channel. All of it is exact but for rounding, and is
    computed in double precision.

    Args:
        model: A model in evaluation mode.

    Returns:
        The copy, and how many normalizations went into convolutions (``"folded"``) and
        how many became a factor, a summand or both (``"affine"``).

    Raises:
        ValueError: If the model is training, or a normalization has no statistics.
    """
    if model.training:
        raise ValueError("fold_batch_norms: call model.eval() first")
    model = copy.deepcopy(model)
    counts = {"folded": 0, "affine": 0}
    total = _count(model)
    for module in list(model.modules()):
        if isinstance(module, nn.Sequential):
            _fold_sequence(module)
        elif isinstance(module, (TemporalConv, unit_tcn)):
            _fold_pair(module, "conv", "bn")
        elif isinstance(module, mstcn):
            _fold_pair(module, "transform.2", "bn")
    for module in list(model.modules()):
        if isinstance(module, RefinementGraphConv):
            _fold_refinement(module)
        elif isinstance(module, (SharedGraphConv, unit_aagcn)):
            _fold_sum(module)
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm):
                setattr(parent, name, ChannelAffine(*_rounded(child)))
    counts["affine"] = sum(isinstance(m, ChannelAffine) for m in model.modules())
    counts["folded"] = total - counts["affine"]
    return model, counts


def scale_and_shift(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Give the factor and the summand that a normalization is, in double precision.

    Args:
        norm: The normalization.

    Returns:
        Two tensors ``[C]``.

    Raises:
        ValueError: If it has no running statistics.
    """
    if norm.running_mean is None or norm.running_var is None:
        raise ValueError(
            "a batch normalization of the model keeps no running statistics and "
            "computes those of each batch anew; it cannot be folded"
        )
    scale = (norm.running_var.detach().double() + norm.eps).rsqrt()
    if norm.affine:
        scale = scale * norm.weight.detach().double()
    shift = -norm.running_mean.double() * scale
    if norm.affine:
        shift = shift + norm.bias.detach().double()
    return scale, shift


def _rounded(norm: _BatchNorm) -> tuple[Tensor, Tensor]:
    """Give factor and summand in the precision of the model."""
    scale, shift = scale_and_shift(norm)
    assert norm.running_mean is not None
    return scale.to(norm.running_mean.dtype), shift.to(norm.running_mean.dtype)


def _count(model: nn.Module) -> int:
    return sum(isinstance(module, _BatchNorm) for module in model.modules())


def _fold_sequence(sequence: nn.Sequential) -> None:
    """Fold normalizations that follow a convolution in a sequence."""
    children = list(sequence.named_children())
    for (_, conv), (name, norm) in zip(children, children[1:]):
        if isinstance(conv, nn.Conv2d) and isinstance(norm, _BatchNorm):
            _fold_into([conv], norm)
            setattr(sequence, name, nn.Identity())


def _fold_pair(module: nn.Module, conv_name: str, norm_name: str) -> None:
    """Fold a module's normalization into its convolution."""
    conv, norm = module.get_submodule(conv_name), module.get_submodule(norm_name)
    if isinstance(conv, nn.Conv2d) and isinstance(norm, _BatchNorm):
        _fold_into([conv], norm)
        setattr(module, norm_name, nn.Identity())


def _fold_sum(module: Any) -> None:
    """Fold a normalization into the convolutions whose outputs are summed up."""
    if isinstance(module.bn, _BatchNorm):
        _fold_into(list(module.conv_d), module.bn)
        module.bn = nn.Identity()


def _fold_refinement(module: RefinementGraphConv) -> None:
    """Fold the normalization behind the graph products into what they multiply.

    The product is linear in ``conv3``'s output, channel by channel.
    """
    if not isinstance(module.bn, _BatchNorm):
        return
    norm = module.bn
    scale, shift = scale_and_shift(norm)
    for conv in module.convs:
        conv3 = conv.conv3
        assert isinstance(conv3, nn.Conv2d)
        _scale(conv3, scale)
    down = module.down
    if isinstance(down, nn.Sequential) and isinstance(down[0], nn.Conv2d):
        _add_to_bias(down[0], shift)
        module.bn = nn.Identity()  # type: ignore[assignment]
    else:
        module.bn = ChannelAffine(None, _rounded(norm)[1])  # type: ignore[assignment]


def _fold_into(convs: Sequence[nn.Conv2d], norm: _BatchNorm) -> None:
    """Fold a normalization into the convolutions that sum up to its input."""
    scale, shift = scale_and_shift(norm)
    for conv in convs:
        _scale(conv, scale)
    _add_to_bias(convs[0], shift)


def _scale(conv: nn.Conv2d, scale: Tensor) -> None:
    """Multiply a convolution's output channels."""
    weight = conv.weight.detach().double() * scale.view(-1, 1, 1, 1)
    conv.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=False)
    if conv.bias is not None:
        bias = conv.bias.detach().double() * scale
        conv.bias = nn.Parameter(bias.to(conv.bias.dtype), requires_grad=False)


def _add_to_bias(conv: nn.Conv2d, shift: Tensor) -> None:
    """Add to a convolution's output channels."""
    bias = shift if conv.bias is None else conv.bias.detach().double() + shift
    conv.bias = nn.Parameter(bias.to(conv.weight.dtype), requires_grad=False)
