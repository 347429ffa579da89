"""The data set of a dataloader's config, within what wraps it."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple

from mmaction.registry import TRANSFORMS


class LoaderData(NamedTuple):
    """A data set in the config of a dataloader.

    Attributes:
        settings: Its config; empty where there is none.
        keys: The keys that lead to it from the loader's config.
        times: How often those around it (``RepeatDataset``) repeat it.
    """

    settings: dict[str, Any]
    keys: tuple[str, ...]
    times: int


def innermost_data(loader: Any) -> LoaderData:
    """Find the data set in ``RepeatDataset`` and its like.

    Args:
        loader: A dataloader's config; anything else has no data set.
    """
    found, times = loader, 1
    keys: tuple[str, ...] = ()
    while isinstance(found, Mapping) and isinstance(found.get("dataset"), Mapping):
        found = found["dataset"]
        keys = (*keys, "dataset")
        if isinstance(found.get("dataset"), Mapping):
            repeated = found.get("times", 1)
            times *= repeated if isinstance(repeated, int) else 1
    return LoaderData(dict(found) if keys else {}, keys, times)


def annotated_data(config: Mapping[str, Any], loader: str) -> LoaderData:
    """Find a data set that has an annotation file.

    Args:
        config: A whole config.
        loader: ``train_dataloader``, ``val_dataloader`` or ``test_dataloader``.

    Raises:
        ValueError: If there is no such data set.
    """
    data = innermost_data(config.get(loader))
    if "ann_file" not in data.settings:
        raise ValueError(
            f"the config names no annotations ({loader}.dataset.ann_file, or that of a "
            "data set within it); set them there, or give --ann-file"
        )
    return data


def find_test_pipeline(config: Mapping[str, Any]) -> Any:
    """Find the transforms that a test run applies.

    Args:
        config: A whole config.

    Returns:
        Those of ``test_dataloader``, with the layout of its data set; without such a
        loader ``test_pipeline``; None if the config has neither.
    """
    data = innermost_data(config.get("test_dataloader")).settings
    if data.get("pipeline") is None:
        return config.get("test_pipeline")
    return fill_layout(data["pipeline"], data.get("layout"))


def fill_layout(pipeline: Any, layout: Any) -> Any:
    """Give a data set's layout to the transforms that take one and do not name theirs.

    Args:
        pipeline: The transforms, as dicts or callables.
        layout: The layout; None changes nothing.
    """
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
