"""Writing a list without having it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets.ntu.conversion import StreamedList, publish
from gap_mmaction.utils.restricted_pickle import load_annotations


def make_item(number: int) -> dict[str, Any]:
    keypoint = np.full((1, 4, 25, 3), number, np.float32)
    return {"frame_dir": f"S{number}", "label": number, "keypoint": keypoint}


# pickle appends 1,000 at a time
@pytest.mark.parametrize("count", [0, 1, 2, 2500])
def test_reads_as_a_list(count: int, tmp_path: Path) -> None:
    path = tmp_path / "new" / "o.pkl"
    items = StreamedList(make_item(i) for i in range(count))
    content = {"split": {"train": ["a"]}, "annotations": items}
    publish(content, path, tmp_path / "new" / "o.pkl.parts")
    for load in (load_annotations, lambda name: pickle.loads(name.read_bytes())):
        content = load(path)
        assert list(content) == ["split", "annotations"]
        assert content["split"] == {"train": ["a"]}
        assert type(content["annotations"]) is list
        assert [item["label"] for item in content["annotations"]] == [*range(count)]
        for i, item in enumerate(content["annotations"]):
            np.testing.assert_equal(item, make_item(i))
