"""The embedded set: what a data set must be, and that bodies stay bodies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets import synthetic
from gap_mmaction.datasets import synthetic_body as body
from gap_mmaction.datasets.synthetic_body import ACTIONS, TWINS, joint
from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.skeletons import get_skeleton

DESCRIPTIONS = Path(__file__).parents[2] / "data" / "descriptions" / "synthetic.yaml"
NTU = get_skeleton(body.LAYOUT)


@pytest.fixture(scope="module")
def small() -> dict[str, Any]:
    """Three performers, one sequence of each action by each."""
    return synthetic.make_synthetic(
        num_performers=3, num_train_performers=2, repetitions=1
    )


def test_annotations_and_splits(small: dict[str, Any]) -> None:
    assert len(small["annotations"]) == 3 * len(ACTIONS)
    for item in small["annotations"]:
        keypoint, frames = item["keypoint"], item["total_frames"]
        assert synthetic.FRAMES[0] <= frames <= synthetic.FRAMES[1]
        assert keypoint.shape == (1, frames, 25, 3) and keypoint.dtype == np.float32
        assert np.isfinite(keypoint).all()
        # Somebody of human size, some metres before the camera.
        assert 0.9 < np.ptp(keypoint[0, 0, :, 1]) < 2.5
        assert 1.5 < keypoint[..., 2].mean() < 5
    # Split by performer, with every class in both.
    labels = {item["frame_dir"]: item["label"] for item in small["annotations"]}
    train, val = (small["split"][f"xsub_{part}"] for part in ("train", "val"))
    for names in (train, val):
        assert {labels[name] for name in names} == set(range(len(ACTIONS)))
    assert not {name[:4] for name in train} & {name[:4] for name in val}
    assert sorted(train + val) == sorted(labels)


def test_same_seed_same_set(small: dict[str, Any]) -> None:
    for sizes in ((2, 2, 1), (3, 2, 0)):
        with pytest.raises(ValueError, match=f"num_train_performers={sizes[1]}"):
            synthetic.make_synthetic(0, *sizes)
    whole = {item["frame_dir"]: item["keypoint"] for item in small["annotations"]}
    options = {"num_performers": 2, "num_train_performers": 1, "repetitions": 1}
    # A smaller set is the beginning of a larger one.
    for item in synthetic.make_synthetic(**options)["annotations"]:
        np.testing.assert_array_equal(item["keypoint"], whole[item["frame_dir"]])
    other = synthetic.make_synthetic(seed=1, **options)["annotations"][0]
    assert not np.array_equal(other["keypoint"], whole[other["frame_dir"]])


@pytest.mark.parametrize("label", range(len(ACTIONS)))
def test_bones_keep_their_lengths_before_the_camera(label: int) -> None:
    rng = np.random.default_rng(label)
    positions = synthetic.act(label, synthetic.draw_performer(rng), 40, rng)
    seen = synthetic.film(positions, 50.0, rng)
    for child, parent in NTU.edges:
        lengths, filmed = (
            np.linalg.norm(points[:, child] - points[:, parent], axis=-1)
            for points in (positions, seen)
        )
        assert lengths[0] > 0.02
        np.testing.assert_allclose(lengths, lengths[0], rtol=1e-9)
        assert filmed.std() > 1e-3  # the camera adds noise
    np.testing.assert_allclose(positions[..., 1].min(axis=1), 0, atol=1e-9)
    assert np.abs(np.diff(positions, axis=0)).max() < 0.5  # nobody jumps


def test_rest_pose_and_mirror_image() -> None:
    rest = body.forward_kinematics(np.zeros((1, 25, 3)), body.rest_offsets())[0]
    np.testing.assert_allclose(rest[TWINS] * [-1, 1, 1], rest, atol=1e-12)
    assert rest[joint("head"), 1] == rest[:, 1].max()
    assert rest[joint("left hand"), 0] > 0 > rest[joint("right hand"), 0]
    angles = body.perform(ACTIONS[2], np.linspace(0, 6, 9), np.ones((4, 1)))
    left, right = (
        body.stand_on_floor(body.forward_kinematics(motion, body.rest_offsets()))
        for motion in (angles, body.mirror(angles))
    )
    np.testing.assert_allclose(right[:, TWINS] * [-1, 1, 1], left, atol=1e-9)


def test_descriptions_are_those_of_the_actions() -> None:
    labels = [item.label for item in load_descriptions(DESCRIPTIONS)]
    assert labels == [action.label for action in ACTIONS]
