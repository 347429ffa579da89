"""Telling whether a checkpoint is one of the model it is loaded into."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_START = (
    ", or, to start from its backbone only, load it by backbone.init_cfg=dict("
    "type='Pretrained', checkpoint=FILE, prefix='backbone.') instead of load_from"
)
_LAYOUT = (
    "It was trained on another joint layout: set backbone.graph_cfg.layout and "
    f"data_preprocessor.layout to that one{_START}"
)

# What to do about the tensors that most often differ.
_REMEDIES = {
    **{"backbone.A": _LAYOUT, "backbone.graph": _LAYOUT},
    "backbone.data_bn.weight": (
        "It was trained on another joint layout, number of persons or number of "
        "coordinates: set graph_cfg.layout, num_person and in_channels accordingly"
        f"{_START}"
    ),
    "cls_head.fc.weight": (
        "It was trained on another number of classes or has another width: set "
        f"cls_head.num_classes and in_channels accordingly{_START}"
    ),
}

# CTR-GCN's graph, which is in a state dict for the sake of this comparison alone: its
# name differs with the form of the backbone. Weights of the authors' code come without.
_GRAPHS = {"backbone.A": "mmaction2", "backbone.graph": "authors"}

_PARTS = ("backbone.", "cls_head.")


class CheckpointError(ValueError):
    """A checkpoint of another model than the one it is loaded into."""


def check_fit(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    """Refuses a state dict of another model.

    MMEngine only logs tensors that are missing, left over or of another shape, and
    goes on with random weights, which is no basis for a test. A checkpoint may lack the
    whole backbone or head. ``own`` is a ``state_dict(keep_vars=True)``.

    Raises:
        CheckpointError: If it is of another layout, number of persons or classes,
            width, depth or form of the backbone.
    """
    for key, remedy in _REMEDIES.items():
        if key in own and key in theirs:
            _check_shape(key, own, theirs, remedy)
    _check_graph(own, theirs)
    for part in _PARTS:
        _check_part(part, own, theirs)


def _check_graph(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    for key, form in _GRAPHS.items():
        if key not in theirs:
            continue
        # A model of others may learn a parameter of this name.
        is_graph = key in own and not isinstance(own[key], torch.nn.Parameter)
        if is_graph and not torch.equal(own[key].cpu(), theirs[key].cpu()):
            raise CheckpointError(
                f"the checkpoint does not fit the model: its graph {key} has other "
                f"edges. {_REMEDIES[key]}"
            )
        _check_form(key, form, own)


def _check_form(key: str, form: str, own: Mapping[str, Tensor]) -> None:
    if key not in own and any(graph in own for graph in _GRAPHS):
        raise CheckpointError(
            "the checkpoint does not fit the model: its parameters are those of "
            "another form of the backbone, which would compute something else with "
            f"them. Set backbone.variant={form!r}"
        )


def check_start(own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> None:
    """Refuses weights for the backbone alone, as by ``init_cfg``, if most do not fit.

    Those of another layout or depth are a start, too: MMEngine logs what is left out.

    Raises:
        CheckpointError: If most tensors would stay random, or are of another form.
    """
    for key, form in _GRAPHS.items():
        if key in theirs:
            _check_form(key, form, own)
    weights = _weights(own, "backbone.")
    fitting = [k for k in weights & theirs.keys() if own[k].shape == theirs[k].shape]
    if theirs and 2 * len(fitting) < len(weights):
        raise CheckpointError(
            f"model.backbone: the checkpoint has {len(fitting)} of its {len(weights)} "
            "tensors under the same names and in the same shapes, the first name there "
            f"is {min(theirs)!r}. Set model.backbone to that of the checkpoint (type, "
            "base_channels, ...), and prefix='backbone.' in init_cfg where it is of a "
            "whole model"
        )


def _check_part(
    part: str, own: Mapping[str, Tensor], theirs: Mapping[str, Tensor]
) -> None:
    here, there = _weights(own, part), _weights(theirs, part)
    if not here or not there:
        return
    for keys, where in ((here - there, "here"), (there - here, "in the checkpoint")):
        if keys:
            raise CheckpointError(
                f"the checkpoint does not fit the model: {len(keys)} tensors of its "
                f"{part[:-1]} are {where} only, the first is {min(keys)!r}. Set "
                f"model.{part[:-1]} to that of the checkpoint (type, num_stages, "
                "temporal, ...), as the config beside it in its work dir has it"
            )
    remedy = f"Set model.{part[:-1]} to that of the checkpoint (base_channels, ...)"
    for key in sorted(here):
        _check_shape(key, own, theirs, remedy)


def _check_shape(
    key: str, own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], remedy: str
) -> None:
    here, there = list(own[key].shape), list(theirs[key].shape)
    if here != there:
        raise CheckpointError(
            f"the checkpoint does not fit the model: {key} is {there} there and {here} "
            f"here. {remedy}"
        )


def _weights(state_dict: Mapping[str, Tensor], part: str) -> set[str]:
    keys = (key for key in state_dict if key.startswith(part) and key not in _GRAPHS)
    return {key for key in keys if not key.endswith("num_batches_tracked")}
