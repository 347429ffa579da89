"""The joint layout in a pipeline: a data set's, for the transforms that take one."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from mmaction.registry import TRANSFORMS

from gap_mmaction.utils.loader_data import innermost_data


def find_test_pipeline(config: Mapping[str, Any]) -> Any:
    """Finds the transforms that a test run of a whole config applies.

    Returns:
        Those of ``test_dataloader``, with the layout of its data set; without such a
        loader ``test_pipeline``; None if the config has neither.
    """
    data = innermost_data(config.get("test_dataloader")).settings
    if data.get("pipeline") is None:
        return config.get("test_pipeline")
    return fill_layout(data["pipeline"], data.get("layout"))


def fill_layout(pipeline: Any, layout: Any) -> Any:
    """Sets a data set's layout, if any, in the transforms that take one and lack it."""
    if layout is None:
        return pipeline
    return [
        {**step, "layout": layout} if _lacks_layout(step) else step for step in pipeline
    ]


def _lacks_layout(step: Any) -> bool:
    if not isinstance(step, Mapping) or "layout" in step:
        return False
    kind = step.get("type")
    kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return kind is not None and "layout" in inspect.signature(kind).parameters
