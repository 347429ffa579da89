"""A schedule of another length, in proportion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Of these, all that counts epochs or iterations is named here.
_POSITIONS = ("begin", "end", "T_max")
_KNOWN = ("LinearLR", "ConstantLR", "CosineAnnealingLR", "MultiStepLR", "PolyLR")


def scale_schedule(
    config: Mapping[str, Any], epochs: int, epoch_length: int | None
) -> dict[str, Any]:
    """Make a config's training as long as asked, with everything in proportion.

    Warm-up, milestones and the end of a cosine move with the length. As they then lie
    within epochs, they are given in iterations: 5 epochs of warm-up of 110 are 4.5 % of
    2 epochs as well.

    Args:
        config: The config.
        epochs: The epochs it is to have.
        epoch_length: Iterations of an epoch; None, for a mere estimate, leaves the
            learning rate's schedule as it is.

    Returns:
        What a config that inherits it has to set; nothing if it has that length.

    Raises:
        ValueError: If the config does not train by epochs, or its schedule has a kind
            of scheduler that has no length.
    """
    train = config.get("train_cfg") or {}
    length = train.get("max_epochs")
    if not isinstance(length, int):
        raise ValueError("train_cfg.max_epochs is not set: only epochs are scaled")
    if epochs == length:
        return {}
    factor = epochs / length
    interval = max(1, round(train.get("val_interval", 1) * factor))
    changes: dict[str, Any] = {
        "train_cfg": {"max_epochs": epochs, "val_interval": interval}
    }
    schedulers = config.get("param_scheduler")
    if schedulers and epoch_length is not None:
        if isinstance(schedulers, Mapping):
            schedulers = [schedulers]
        total = epochs * epoch_length
        scaled = [_scale(item, factor, epoch_length, total) for item in schedulers]
        changes["param_scheduler"] = [item for item in scaled if item is not None]
    return changes


def _scale(
    scheduler: Mapping[str, Any], factor: float, epoch_length: int, total: int
) -> dict[str, Any] | None:
    """Scale one; None for a warm-up that is shorter than an iteration."""
    scaled = dict(scheduler)
    kind = scaled.get("type")
    if kind not in _KNOWN:
        raise ValueError(
            f"param_scheduler of type {kind!r}: --epochs can scale "
            f"{', '.join(_KNOWN)}; give a config with the length you want instead"
        )
    in_epochs = scaled.pop("by_epoch", True)
    scaled.pop("convert_to_iter_based", None)
    unit = factor * (epoch_length if in_epochs else 1)

    def move(position: float) -> float:
        # A share of the training, see SkeletonRunner, is one of any length.
        return position if isinstance(position, float) else round(position * unit)

    for key in _POSITIONS:
        if scaled.get(key) is not None:
            scaled[key] = move(scaled[key])
    if scaled.get("milestones") is not None:
        milestones: Sequence[int] = scaled["milestones"]
        scaled["milestones"] = [move(milestone) for milestone in milestones]
    scaled["by_epoch"] = False
    begin, end = scaled.get("begin", 0), scaled.get("end", total)
    return scaled if end > begin else None
