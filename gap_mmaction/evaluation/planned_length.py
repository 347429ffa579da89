"""How long a run was to be."""

from __future__ import annotations

import ast
from pathlib import Path


def planned_length(config: Path) -> int | None:
    """Read ``train_cfg``'s number of epochs or iterations from a dumped config.

    The file is parsed, not executed: a run may be somebody else's.

    Args:
        config: ``vis_data/config.py`` of a run.

    Returns:
        ``max_epochs`` or ``max_iters``; None where neither is found.
    """
    try:
        module = ast.parse(config.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError):
        return None
    for node in module.body:
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call):
            continue
        target = node.targets[0]
        if not isinstance(target, ast.Name) or target.id != "train_cfg":
            continue
        for keyword in node.value.keywords:
            value = keyword.value
            if (
                keyword.arg in ("max_epochs", "max_iters")
                and isinstance(value, ast.Constant)
                and isinstance(value.value, int)
            ):
                return value.value
    return None
