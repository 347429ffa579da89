"""FeatureHook: a feature map out of the middle of any model, for GAP."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from einops import rearrange
from torch import Tensor, nn

from gap_mmaction.openmmlab import MODELS
from gap_mmaction.utils.config_parts import did_you_mean

from ..axes import names_of, to_feature_map

_WHERE = "model.backbone (FeatureHook)"


@MODELS.register_module()
class FeatureHook(nn.Module):
    """Takes the map of a layer, by a forward hook, as the output of a whole model.

    The model is built from its config and runs its own ``forward``. It is not put into
    another module, but gets a class that derives from this one and from its own, as
    torch's ``fully_shard`` does it. So parameters keep their names wherever names count
    (state dicts, optimizers, DDP), weights of the plain model load, and its attributes
    stay where tools look for them. The hook lasts for a forward pass, and leaves
    nothing of it in the model.

    A layer that is called several times gives its last map; what the model changes in
    place behind the layer is changed in the map too.

    Args:
        model: Config of a backbone, or of a model with a classifier of its own.
        layer: Name of a submodule whose output is a feature map, such as ``'net.9'``.
        axes: Dimensions of the map, for einops: ``n`` clips, ``m`` persons, ``c``
            channels, ``t`` frames, ``v`` joints, merged ones in parentheses. Without
            ``m`` there is one person, without ``t`` one frame.
        input_axes: The same of the model's input, by default ``'n m t v c'``.
        sizes: Those of merged axes where they are not the input's: ``dict(m=1)``.
        logits: Whether to return the model's logits too, for a ``ForeignHead``: its
            output, or the first of a tuple.

    Raises:
        ValueError: If the layer does not exist, or the axes are wrong.

    Examples:
        >>> import torch
        >>> ctrgcn = dict(type='CTRGCN', graph_cfg=dict(layout='coco'), base_channels=8)
        >>> backbone = FeatureHook(ctrgcn, layer='net.3', axes='(n m) c v t')
        >>> backbone(torch.rand(2, 2, 8, 17, 3)).shape
        torch.Size([2, 2, 8, 8, 17])
    """

    def __new__(cls, model: dict | None = None, *_: Any, **__: Any) -> FeatureHook:
        """Builds the model, of a class that has this one's forward before its own."""
        if model is None:  # as for a copy, whose class has the model's in it
            return super().__new__(cls)
        built: Any = MODELS.build(model)
        kind: Any = type(built)
        built.__class__ = type(kind)(f"Hooked{kind.__name__}", (cls, kind), {})
        return built

    def __init__(
        self,
        model: dict,
        layer: str,
        axes: str,
        input_axes: str | None = None,
        sizes: dict[str, int] | None = None,
        logits: bool = False,
    ) -> None:
        # nn.Module.__init__ has run as the model was built.
        modules = [name for name, _ in self.named_modules() if name]
        if layer not in modules:
            raise ValueError(
                f"{_WHERE}: layer={layer!r} is no module of the model"
                f"{did_you_mean(layer, modules)}{_inside(self, layer)}"
            )
        names = names_of(axes, "ncv", f"{_WHERE}: axes")
        if input_axes is not None:
            names_of(input_axes, "nmctv", f"{_WHERE}: input_axes")
        sizes = dict(sizes or {})
        if unknown := sorted(set(sizes) - set(names)):
            where = f"{_WHERE}: sizes={sizes!r} has {unknown[0]!r}"
            raise ValueError(f"{where}, axes={axes!r} has not; leave it out")
        self.feature_hook = SimpleNamespace(
            layer=layer, axes=axes, input_axes=input_axes, sizes=sizes, logits=logits
        )

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Maps skeletons ``[N, M, T, V, C]`` to ``[N, M, C', T', V]``, and logits.

        Raises:
            ValueError: If the map is not what the axes say, or there are no logits.
        """
        hook, outputs, given = self.feature_hook, [], x

        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            outputs.append(output)

        if hook.input_axes is not None:
            given = rearrange(x, f"n m t v c -> {hook.input_axes}").contiguous()
        handle = self.get_submodule(hook.layer).register_forward_hook(keep)
        try:
            logits = super().forward(given)
        finally:
            handle.remove()
        feature_map = outputs[-1] if outputs else None
        if not isinstance(feature_map, Tensor):
            raise ValueError(
                f"{_WHERE}: layer={hook.layer!r} is not called or gives no tensor but "
                f"{type(feature_map).__name__}; name another{_inside(self, hook.layer)}"
            )
        known = dict(zip("nmv", (x.shape[0], x.shape[1], x.shape[3]))) | hook.sizes
        where = f"{_WHERE}: layer={hook.layer!r}, axes"
        feature_map = to_feature_map(feature_map, hook.axes, known, where)
        if not hook.logits:
            return feature_map
        logits = logits[0] if isinstance(logits, (tuple, list)) else logits
        if getattr(logits, "shape", ())[:-1] != x.shape[:1]:
            what = tuple(getattr(logits, "shape", [type(logits).__name__]))
            raise ValueError(
                f"{_WHERE}: logits=True, but the model gives {what} for {len(x)} clips "
                "where [clips, classes] should be; set logits=False, and a GCNHead"
            )
        return feature_map, logits


def map_of(features: Any) -> Tensor:
    """Returns the feature map of what a backbone gives, without logits."""
    return features[0] if isinstance(features, tuple) else features


def _inside(model: nn.Module, layer: str) -> str:
    """Lists what is in the last module on the way to a layer that exists."""
    modules = dict(model.named_modules())
    while layer not in modules:
        layer = layer.rpartition(".")[0]
    children = [name for name, _ in modules[layer].named_children()]
    return f"; {layer or 'the model'} has {children}"
