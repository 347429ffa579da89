"""tools/data/pre_normalize.py: what it writes trains as what it has read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets import SafePoseDataset
from gap_mmaction.utils.restricted_pickle import load_annotations, write_annotations
from tools.data.pre_normalize import main


def _annotations() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    items: list[dict[str, Any]] = []
    for i, (persons, frames) in enumerate(((1, 5), (2, 7), (2, 4), (1, 3))):
        keypoint = rng.normal(size=(persons, frames, 25, 3)).astype(np.float32)
        item = {"frame_dir": f"S00{i}", "label": i, "total_frames": frames}
        items.append({**item, "keypoint": keypoint})
    items[1]["keypoint"][0, 2:] = 0  # the second person stays longer
    items[3]["keypoint"][:] = 0  # the data set refuses what is empty
    return {"split": {"train": ["S000", "S001", "S002"]}, "annotations": items}


def _samples(path: Path, **kwargs: Any) -> list[dict[str, Any]]:
    pipeline: list[Any] = [dict(type="FastPreNormalize3D", **kwargs)]
    dataset = SafePoseDataset(str(path), pipeline, split="train")
    return [dataset[i] for i in range(len(dataset))]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_as_in_the_pipeline(tmp_path: Path, dtype: str) -> None:
    source, out = tmp_path / "raw.pkl", tmp_path / "out.pkl"
    write_annotations(_annotations(), source)
    assert main([str(source), str(out), "--dtype", dtype]) == 0
    twice = tmp_path / "twice.pkl"  # which changes nothing
    assert main([str(out), str(twice), "--dtype", dtype]) == 0
    assert twice.read_bytes() == out.read_bytes()
    for before, after in zip(_samples(source), _samples(out)):
        assert after["total_frames"] == before["total_frames"]
        assert after["keypoint"].dtype == dtype
        assert np.array_equal(after["keypoint"], before["keypoint"].astype(dtype))
    assert load_annotations(out)["split"] == load_annotations(source)["split"]
    assert main([str(source), str(out), "--no-align-spine"]) == 0
    expected, found = (_samples(path, align_spine=False)[0] for path in (source, out))
    np.testing.assert_allclose(found["keypoint"], expected["keypoint"], rtol=1e-6)
    with pytest.raises(ValueError, match=r"before with .*align_spine.*False"):
        _samples(out)


def test_errors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "bad.pkl", tmp_path / "out.pkl"
    content = _annotations()
    content["annotations"][3]["keypoint"] = np.ones((1, 5, 25, 2))
    for bad, found in (
        (content, r"'S003'.*\[M, T, V, 3\]"),
        ({"split": {}}, "holds no list of annotations"),
    ):
        write_annotations(bad, source)
        assert main([str(source), str(out)]) == 1
        assert re.search(rf"bad\.pkl: .*{found}", capsys.readouterr().err)
        assert not out.exists()
