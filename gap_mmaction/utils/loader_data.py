"""The data set of a dataloader's config, within what wraps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class LoaderData(NamedTuple):
    """A data set in the config of a dataloader."""

    settings: dict[str, Any]  # empty where there is none
    keys: tuple[str, ...]  # that lead to it from the loader's config
    times: int  # that those around it (``RepeatDataset``) repeat it


def innermost_data(loader: Any) -> LoaderData:
    """Finds the data set in ``RepeatDataset`` and its like in a dataloader's config."""
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
    """Finds the annotated data set of a loader, such as ``train_dataloader``.

    Raises:
        ValueError: If the config has no such data set.
    """
    data = innermost_data(config.get(loader))
    if "ann_file" not in data.settings:
        raise ValueError(
            f"the config names no annotations ({loader}.dataset.ann_file, or that of a "
            "data set within it); set them there, or give --ann-file"
        )
    return data
