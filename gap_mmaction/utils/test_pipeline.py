"""Where a config has the transforms of testing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def find_test_pipeline(config: Mapping[str, Any]) -> Any:
    """Find the transforms that a test run applies.

    Args:
        config: A whole config.

    Returns:
        Those of ``test_dataloader``, whose data set may be wrapped in others
        (``RepeatDataset``); without such a loader ``test_pipeline``; None if the config
        has neither.
    """
    loader = config.get("test_dataloader") or {}
    dataset = loader.get("dataset")
    while isinstance(dataset, Mapping):
        if dataset.get("pipeline") is not None:
            return dataset["pipeline"]
        dataset = dataset.get("dataset")
    return config.get("test_pipeline")
