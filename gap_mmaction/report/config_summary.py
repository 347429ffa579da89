"""A config in a few lines."""

from __future__ import annotations

from typing import Any

from gap_mmaction.utils.config_text import lookup
from gap_mmaction.utils.loader_data import innermost_data

_TEXT = "model.text_branch"
_ROWS = (
    ("Backbone", ("type", "variant", "base_channels", "temporal"), "model.backbone"),
    ("Classes", ("num_classes", "label_smooth_eps"), "model.cls_head"),
    ("Input", ("layout", "stream", "bone_form"), "model.data_preprocessor"),
    ("Texts", ("preset", "descriptions", "slots"), f"{_TEXT}.prompts"),
    ("Text encoder", ("type", "model", "frozen"), f"{_TEXT}.encoder"),
    ("Text loss", ("loss_weight", "target", "temperature"), f"{_TEXT}.loss"),
    (
        "Optimizer",
        ("type", "lr", "momentum", "weight_decay"),
        "optim_wrapper.optimizer",
    ),
    ("Length", ("max_epochs", "max_iters", "val_interval"), "train_cfg"),
)


def summarize_config(config: dict[str, Any]) -> list[tuple[str, str]]:
    """List the settings that tell one run from another.

    Args:
        config: As :func:`gap_mmaction.utils.config_text.parse_config_text` gives it.

    Returns:
        Rows of a name and its settings; those that the config has.
    """
    rows: list[tuple[str, str]] = []
    has_text = bool(lookup(config, _TEXT))
    features = lookup(config, f"{_TEXT}.features")
    for name, keys, path in _ROWS:
        if name == "Text encoder" and features:
            rows.append((name, f"none in training: features {features}"))
            continue
        settings = lookup(config, path)
        if isinstance(settings, dict):
            shown = [
                str(settings[key]) if key == "type" else f"{key} {settings[key]}"
                for key in keys
                if settings.get(key) is not None
            ]
            if shown:
                rows.append((name, ", ".join(shown)))
    if config and not has_text:
        rows.append(("Texts", "none: the plain GCN (model.text_branch=None)"))
    for name, loader in (("Training data", "train"), ("Test data", "test")):
        row = _data(lookup(config, f"{loader}_dataloader"))
        if row:
            rows.append((name, row))
    schedule = config.get("param_scheduler")
    if isinstance(schedule, list):
        kinds = [str(lookup(step, "type")) for step in schedule]
        rows.append(("Schedule", ", then ".join(kinds)))
    seed = lookup(config, "randomness.seed")
    rows += [("Seed", str(seed))] if seed is not None else []
    hooks = config.get("custom_hooks")
    if isinstance(hooks, list) and hooks:
        rows.append(("Hooks", ", ".join(str(lookup(hook, "type")) for hook in hooks)))
    return rows


def _data(loader: Any) -> str:
    dataset, _, times = innermost_data(loader)
    shown = [str(dataset[key]) for key in ("ann_file", "split") if dataset.get(key)]
    if times > 1:
        shown.append(f"{times} times per epoch")
    batch = lookup(loader, "batch_size")
    return ", ".join([*shown, *([f"batches of {batch}"] if batch else [])])
