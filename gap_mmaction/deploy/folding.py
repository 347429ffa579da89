"""Folding of batch normalizations into the convolutions before them."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any, TypeVar

import torch
from mmaction.models.utils import mstcn, unit_aagcn, unit_tcn
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from gap_mmaction.models.backbones.ctr_baseline import SharedGraphConv
from gap_mmaction.models.backbones.ctrgcn_units import RefinementGraphConv, TemporalConv

_Model = TypeVar("_Model", bound=nn.Module)


@torch.no_grad()
def fold_batch_norms(model: _Model) -> tuple[_Model, dict[str, int]]:
    """Copies a model in evaluation mode, with its batch normalizations folded.

    A normalization behind a convolution, or behind a sum of them, becomes part of
    their weights, by torch's own fusion in double precision. One behind CTR-GCN's graph
    product scales the convolutions that are multiplied, and its summand goes into the
    path around the product. Others, as that of the input, stay.

    Returns:
        The copy, and how many normalizations were ``"folded"`` and ``"left"``.

    Raises:
        ValueError: If the model is training, or a normalization has no statistics.
    """
    if model.training:
        raise ValueError("fold_batch_norms: call model.eval() first")
    model = copy.deepcopy(model)
    norms = _norms(model)
    if any(norm.running_mean is None or norm.running_var is None for norm in norms):
        raise ValueError(
            "a batch normalization of the model keeps no running statistics and "
            "computes those of each batch anew; it cannot be folded"
        )
    # From the inside out: the path around a graph product is folded before it.
    for module in reversed(list(model.modules())):
        if isinstance(module, nn.Sequential):
            names = [name for name, _ in module.named_children()]
            for conv, norm in zip(names, names[1:]):
                _fold(module, [conv], norm)
        elif isinstance(module, (TemporalConv, unit_tcn)):
            _fold(module, ["conv"], "bn")
        elif isinstance(module, mstcn):
            _fold(module, ["transform.2"], "bn")
        elif isinstance(module, (SharedGraphConv, unit_aagcn)):
            _fold(module, [f"conv_d.{i}" for i in range(len(module.conv_d))], "bn")
        elif isinstance(module, RefinementGraphConv):
            _fold_refinement(module)
    left = len(_norms(model))
    return model, {"folded": len(norms) - left, "left": left}


def _norms(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def _fold(module: nn.Module, conv_names: Iterable[str], norm_name: str) -> None:
    """Folds a normalization into the convolutions whose outputs sum up to its input."""
    norm = module.get_submodule(norm_name)
    convs = [module.get_submodule(name) for name in conv_names]
    if isinstance(norm, _BatchNorm) and all(isinstance(c, nn.Conv2d) for c in convs):
        _fuse(convs[0], norm)
        for conv in convs[1:]:
            _fuse(conv, _factor(norm))
        setattr(module, norm_name, nn.Identity())


def _fold_refinement(module: Any) -> None:
    # The graph product is linear in conv3's output, channel by channel.
    norm, down = module.bn, module.down
    if isinstance(norm, _BatchNorm) and isinstance(down, nn.Sequential):
        for conv in module.convs:
            _fuse(conv.conv3, _factor(norm))
        # The summand is what the normalization makes of zeros.
        zeros = torch.zeros(1, norm.num_features, 1, 1, dtype=torch.float64)
        bias: Any = down[0].bias
        bias.add_(copy.deepcopy(norm).double()(zeros).flatten())
        module.bn = nn.Identity()


def _fuse(conv: Any, norm: _BatchNorm) -> None:
    dtype = conv.weight.dtype
    fused = fuse_conv_bn_eval(conv.double(), copy.deepcopy(norm).double()).to(dtype)
    conv.weight, conv.bias = fused.weight, fused.bias


def _factor(norm: _BatchNorm) -> _BatchNorm:
    """Copies a normalization without its summand."""
    factor = copy.deepcopy(norm)
    assert factor.running_mean is not None
    factor.running_mean.zero_()
    if factor.affine:
        factor.bias.zero_()
    return factor
