"""Joints of one layout from those of another."""

from __future__ import annotations

import numpy as np
import pytest

from gap_mmaction.skeletons import get_skeleton, layouts
from gap_mmaction.skeletons.conversion import convert_joints, joint_weights

# Source, target, and a joint of it: what it is made of.
WAYS = [
    ("mediapipe", "nw-ucla", "left hand", {"left index": 0.5, "left pinky": 0.5}),
    ("mediapipe", "nw-ucla", "right foot", {"right foot index": 1}),
    ("mediapipe", "nturgb+d", "base of spine", {"left hip": 0.5, "right hip": 0.5}),
    ("mediapipe", "nturgb+d", "spine", {"left shoulder": 0.5, "right shoulder": 0.5}),
    ("mediapipe", "nturgb+d", "tip of right hand", {"right index": 1}),
    ("mediapipe", "nturgb+d", "left thumb", {"left thumb": 1}),
    ("mediapipe", "openni-15", "head", {"left ear": 0.5, "right ear": 0.5}),
    ("openni-15", "nw-ucla", "left wrist", {"left hand": 1}),
    ("coco", "openpose18", "neck", {"left shoulder": 0.5, "right shoulder": 0.5}),
    ("halpe26", "coco", "right ankle", {"right ankle": 1}),
    ("coco", "jhmdb-15", "face", {"nose": 1}),
]


@pytest.mark.parametrize(("source", "target", "joint", "made_of"), WAYS)
def test_ways(source: str, target: str, joint: str, made_of: dict[str, float]) -> None:
    weights = joint_weights(source, target)
    names = get_skeleton(source).joint_names
    row = weights[get_skeleton(target).joint_names.index(joint)]
    assert {names[i]: row[i] for i in np.flatnonzero(row)} == made_of
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@pytest.mark.parametrize("layout", layouts())
def test_of_itself(layout: str) -> None:
    np.testing.assert_array_equal(
        joint_weights(layout, layout), np.eye(get_skeleton(layout).num_joints)
    )


def test_kinects_spine() -> None:
    """The second Kinect's `spine` is between the shoulders, the first one's is not."""
    names = get_skeleton("nturgb+d").joint_names
    ucla = get_skeleton("nw-ucla").joint_names
    row = joint_weights("nturgb+d", "nw-ucla")[ucla.index("spine")]
    assert row[names.index("spine")] == 0
    hips = sum(row[names.index(f"{side} hip")] for side in ("left", "right"))
    assert 0.6 < hips < 0.8


def test_scores_are_the_least() -> None:
    joints = np.random.default_rng(0).uniform(size=(2, 3, 17, 3)).astype(np.float32)
    found = convert_joints(joints, "coco", "openpose18")
    assert found.shape == (2, 3, 18, 3) and found.dtype == np.float32
    # Joints 5 and 6 of coco are the shoulders, the neck is between them.
    places = joints[..., 5:7, :2].mean(2)
    np.testing.assert_allclose(found[..., 1, :2], places, rtol=1e-5)
    np.testing.assert_array_equal(found[..., 1, 2], joints[..., 5:7, 2].min(-1))
    np.testing.assert_array_equal(found[..., 0, :], joints[..., 0, :])


@pytest.mark.parametrize(
    ("source", "target", "shape", "words"),
    [
        ("coco", "halpe26", (17, 3), "'coco' has no 'top of head' of layout 'halpe26'"),
        (
            "nw-ucla",
            "nturgb+d",
            (20, 4),
            "'tip of left hand'.* layout dict of your own",
        ),
        ("coco", "nw-ucla", (17, 3), r"\[17, 3\].*\[\.\.\., 17, 4\]; take"),
        ("mediapipe", "coco", (33, 4), r"\[\.\.\., 33, 3\]"),
        ("coco", "openpose18", (18, 3), r"\[\.\.\., 17, 3\]"),
    ],
)
def test_bad(source: str, target: str, shape: tuple[int, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        convert_joints(np.zeros(shape), source, target)
