"""The length of a training: iterations, and a schedule in proportion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

# Of these, all that counts epochs or iterations is named in _scale.
_KNOWN = ("LinearLR", "ConstantLR", "CosineAnnealingLR", "MultiStepLR", "PolyLR")


def epochs_of(config: Mapping[str, Any]) -> int:
    """Returns the epochs of a config's training; ValueError if it counts no epochs."""
    epochs = (config.get("train_cfg") or {}).get("max_epochs")
    if not isinstance(epochs, int):
        raise ValueError("train_cfg.max_epochs is not set: runs are counted in epochs")
    return epochs


def epoch_length(loader: Mapping[str, Any], samples: float, processes: int = 1) -> int:
    """Returns the iterations of an epoch of so many samples."""
    batches = math.ceil(samples / processes) / int(loader["batch_size"])
    return max(1, int(batches) if loader.get("drop_last") else math.ceil(batches))


def scale_schedule(
    config: Mapping[str, Any], epochs: int, length: int | None
) -> dict[str, Any]:
    """Returns what a config is merged with to train for so many epochs, or nothing.

    Warm-up, milestones and the end of a cosine move in proportion. As they then lie
    within epochs, they are given in iterations. ``length`` are those of an epoch; None,
    for a mere estimate, leaves the learning rate's schedule as it is.

    Raises:
        ValueError: If the config does not train by epochs, or its schedule has a kind
            of scheduler that has no length.
    """
    own = epochs_of(config)
    if epochs == own:
        return {}
    interval = max(1, round(config["train_cfg"].get("val_interval", 1) * epochs / own))
    train = {"max_epochs": epochs, "val_interval": interval}
    schedulers = config.get("param_scheduler")
    if not schedulers or length is None:
        return {"train_cfg": train}
    if isinstance(schedulers, Mapping):
        schedulers = [schedulers]
    scaled = [
        _scale(item, epochs / own, length, epochs * length) for item in schedulers
    ]
    return {"train_cfg": train, "param_scheduler": list(filter(None, scaled))}


def _scale(
    scheduler: Mapping[str, Any], factor: float, length: int, total: int
) -> dict[str, Any] | None:
    """Scales one; None for a warm-up that is shorter than an iteration."""
    scaled = dict(scheduler)
    kind = scaled.get("type")
    if kind not in _KNOWN:
        raise ValueError(
            f"param_scheduler of type {kind!r}: --epochs can scale "
            f"{', '.join(_KNOWN)}; give a config with the length you want instead"
        )
    unit = factor * (length if scaled.pop("by_epoch", True) else 1)
    scaled.pop("convert_to_iter_based", None)

    def move(position: float) -> float:
        # A share of the training, see SkeletonRunner, is one of any length.
        return position if isinstance(position, float) else round(position * unit)

    for key in ("begin", "end", "T_max"):
        if scaled.get(key) is not None:
            scaled[key] = move(scaled[key])
    if scaled.get("milestones") is not None:
        scaled["milestones"] = list(map(move, scaled["milestones"]))
    scaled["by_epoch"] = False
    begin, end = scaled.get("begin", 0), scaled.get("end", total)
    return scaled if end > begin else None
