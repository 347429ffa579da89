"""CenterSkeleton."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets.transforms import CenterSkeleton


def test_joint_of_the_first_frame_is_the_origin() -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 6, 20, 3)).astype(np.float32)
    out = CenterSkeleton(joint=1).transform({"keypoint": keypoint.copy()})["keypoint"]
    origin = keypoint[0, 0, 1].astype(np.float64)
    np.testing.assert_allclose(out, keypoint - origin, atol=1e-12)
    assert (out[0, 0, 1] == 0).all()
    assert out.dtype == np.float64


def test_absent_persons_stay_at_zero() -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 6, 20, 3))
    keypoint[0, :2] = 0
    keypoint[1, 1:] = 0
    keypoint[1, 0] = 0
    out = CenterSkeleton().transform({"keypoint": keypoint})["keypoint"]
    assert (out[1] == 0).all()
    assert (out[0, :2] == 0).all()
    assert (out[0, 2, 1] == 0).all()
    assert (out[0, 2, 0] != 0).all()


def test_the_first_person_counts_also_where_another_one_comes_first() -> None:
    keypoint = np.random.default_rng(0).normal(size=(2, 6, 25, 3))
    keypoint[0, :2] = 0
    out = CenterSkeleton().transform({"keypoint": keypoint})["keypoint"]
    origin = keypoint[0, 2, 1]
    np.testing.assert_allclose(out[1], keypoint[1] - origin, atol=1e-12)
    assert (out[0, :2] == 0).all()
    # Unless there is no first person at all.
    keypoint[0] = 0
    out = CenterSkeleton().transform({"keypoint": keypoint})["keypoint"]
    assert (out[1, 0, 1] == 0).all()


def test_ntu_is_the_references_and_prepared_data_stays(shared: Path) -> None:
    with np.load(shared / "golden" / "ntu_raw" / "expected.npz") as golden:
        for name in golden["names"]:
            before, after = (
                golden[f"{kind}/{name}"].reshape(-1, 2, 25, 3).swapaxes(0, 1)
                for kind in ("denoised", "translated")
            )
            transform = CenterSkeleton(joint=1)
            raw = transform.transform({"keypoint": before})["keypoint"]
            np.testing.assert_allclose(raw, after, rtol=0, atol=1e-6)
            prepared = transform.transform({"keypoint": after})["keypoint"]
            np.testing.assert_array_equal(prepared, after)


def test_joint_by_name() -> None:
    assert CenterSkeleton(joint="spine", layout="nw-ucla").joint == 1


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"joint": -1}, "joint=-1"),
        ({"joint": 20, "layout": "nw-ucla"}, "joint=20.*up to 19"),
        ({"joint": "tail", "layout": "nw-ucla"}, "'tail'.*spine"),
        ({"joint": "spine"}, "set a layout"),
    ],
)
def test_bad_joint(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CenterSkeleton(**kwargs)


def test_data_without_the_joint() -> None:
    sample = {"keypoint": np.ones((1, 2, 17, 3)), "frame_dir": "clip"}
    with pytest.raises(ValueError, match=r"joint=18.*'clip'.*0\.\.16"):
        CenterSkeleton(joint=18).transform(sample)
