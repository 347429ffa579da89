"""The chain: against the public scripts, rule by rule, and ``clean``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets.ntu import SampleName, convert_skeleton, make_splits
from gap_mmaction.datasets.ntu.actors import select_actors
from gap_mmaction.datasets.ntu.sample import finish_annotation
from gap_mmaction.datasets.ntu.skeleton_file import Body, RawSequence, parse_skeleton
from tests.ntu_recordings import format_skeleton

NAME = "S001C001P001R001A050"


@pytest.fixture(scope="module")
def folder(golden_folder: Path) -> Path:
    return golden_folder / "ntu_raw"


@pytest.fixture(scope="module")
def expected(folder: Path) -> dict[str, Any]:
    with np.load(folder / "expected.npz") as file:
        return dict(file)


def flatten(keypoint: np.ndarray) -> np.ndarray:
    """Back to the reference's columns."""
    return keypoint.transpose(1, 0, 2, 3).reshape(keypoint.shape[1], -1)


def pad(flat: np.ndarray) -> np.ndarray:
    """Pads to two persons, as the reference does."""
    return np.pad(flat, ((0, 0), (0, 150 - flat.shape[1])))


def convert(data: bytes, name: str) -> dict[str, Any]:
    annotation = convert_skeleton(data, name).annotation
    assert annotation is not None
    return annotation


def test_samples_are_the_references(folder: Path, expected: dict[str, Any]) -> None:
    for i, name in enumerate(expected["names"]):
        data = (folder / f"{name}.skeleton").read_bytes()
        sequence = parse_skeleton(data, name)
        assert sequence.num_frames == expected["raw_num_frames"][i]
        assert len(sequence.bodies) == expected["num_body_ids"][i]
        parts = SampleName.parse(name)
        for key in ("label", "performer", "camera", "setup", "replication"):
            assert getattr(parts, key) == expected[key][i]
        actors, _ = select_actors(sequence, "reference")
        assert actors.joints.shape[1] == 75 * expected["num_bodies"][i]
        np.testing.assert_array_equal(pad(actors.joints), expected[f"denoised/{name}"])
        annotation = convert(data, str(name))
        assert annotation["frame_dir"] == name
        assert annotation["label"] == expected["label"][i]
        assert annotation["total_frames"] == expected["frames"][i]
        flat = pad(flatten(annotation["keypoint"]))
        assert flat.dtype == np.float32
        np.testing.assert_array_equal(flat, expected[f"translated/{name}"])


def test_padding_of_ntu120(folder: Path, expected: dict[str, Any]) -> None:
    keys = [key for key in expected if key.startswith("translated120/")]
    assert len(keys) == 2
    for key in keys:
        name = key.split("/")[1]
        data = (folder / f"{name}.skeleton").read_bytes()
        annotation = convert(data, name)
        assert finish_annotation(annotation, "ntu60", "reference") is annotation
        assert finish_annotation(annotation, "ntu120", "clean") is annotation
        finished = finish_annotation(annotation, "ntu120", "reference")
        np.testing.assert_array_equal(flatten(finished["keypoint"]), expected[key])


def test_order_of_the_splits(expected: dict[str, Any]) -> None:
    names = expected["names"].tolist()
    for dataset, protocols in (("60", ("xsub", "xview")), ("120", ("xsub", "xset"))):
        splits = make_splits(names, f"ntu{dataset}")
        assert len(splits) == 4
        for protocol in protocols:
            for subset, key in (("train", "train"), ("val", "test")):
                rows = expected[f"order_{key}/{protocol}{dataset}"]
                assert splits[f"{protocol}_{subset}"] == [names[i] for i in rows]


def make_body(identity: str, frames: list[int], value: float, move: float = 1) -> Body:
    """A narrow body; ``move`` is the size of its movements."""
    rng = np.random.default_rng(len(frames))
    joints = rng.normal(0, 0.1 * move, (len(frames), 25, 3)) + value
    joints[..., 1] += np.linspace(-1, 1, 25)
    joints[..., 0] *= 0.1
    return Body(identity, joints.astype(np.float32), np.array(frames))


def choose(bodies: list[Body], num_frames: int, *rules: str) -> list[np.ndarray]:
    """Runs both protocols, which differ by the rules; returns the actors of each."""
    sequence = RawSequence(bodies, num_frames, 0, 0)
    reference, _ = select_actors(sequence, "reference")
    clean, changes = select_actors(sequence, "clean")
    assert [change[:6] for change in changes] == list(rules)
    return [reference.joints, clean.joints]


def span(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


def test_rules_3_to_5_and_7() -> None:
    """Ghosts and furniture are dropped, the one who moves most comes first."""
    still, moving, ghost, wide, half = (
        make_body("still", span(0, 29), 1),
        make_body("moving", span(0, 29), 2, move=3),
        make_body("ghost", span(0, 10), 3, move=9),
        make_body("wide", span(0, 29), 4, move=9),
        make_body("half wide", span(0, 29), 5, move=1.5),
    )
    wide.joints[..., 0] *= 200
    half.joints[:15, :, 0] *= 200  # no part of what it moves
    for body in (still, half):
        joints = np.concatenate([moving.joints, body.joints], axis=1)
        found, _ = choose([body, ghost, moving, wide], 30)
        np.testing.assert_array_equal(found, joints.reshape(30, 150))
    # The last one is never dropped, but its frames of zeros are.
    wide.joints[3] = 0
    found, _ = choose([replace(wide, joints=wide.joints + 1), wide], 30)
    np.testing.assert_array_equal(found, np.delete(wide.joints, 3, 0).reshape(29, 75))


def test_dropped() -> None:
    for frames, value, reason in (
        (["0", "01", "1"], 1, "none of its 2 bodies has more than 11 frames"),
        (["0"], 0, "all coordinates of actor 1 are zero"),
        (["00"], 1, "body 0 is twice in a frame"),
    ):
        joints = np.full((25, 3), value)
        bodies = [[(identity, joints) for identity in ids] for ids in frames]
        sample = convert_skeleton(format_skeleton(bodies), NAME)
        ((kind, found),) = sample.notes
        assert sample.annotation is None
        assert kind == "dropped" and found.startswith(reason)


def test_rule_2_gap_stays() -> None:
    main = make_body("a", span(0, 39), 1, move=3)
    other = make_body("b", span(5, 14) + span(30, 39), 2)
    reference, clean = choose([main, other], 40, "rule 2")
    present = clean[:, 75:].any(axis=1)
    assert np.flatnonzero(present).tolist() == other.frames.tolist()
    np.testing.assert_array_equal(clean[30:, 75:], other.joints[10:].reshape(10, 75))
    assert np.flatnonzero(reference[:, 75:].any(axis=1)).tolist() == span(5, 24)


def test_rule_6_start_of_actor_2() -> None:
    main = make_body("a", span(0, 49), 1, move=9)
    late = make_body("b", span(25, 49), 2, move=3)
    early = make_body("c", span(3, 20), 3)
    reference, clean = choose([main, late, early], 50, "rule 6")
    assert not reference[:20, 75:].any()
    np.testing.assert_array_equal(clean[3:21, 75:], early.joints.reshape(18, 75))


def test_rule_6_shared_frame_is_kept() -> None:
    main = make_body("a", span(0, 20), 1, move=3)
    same = make_body("b", span(20, 39), 2)
    reference, clean = choose([main, same], 40, "rule 6")
    assert reference.shape == (40, 150)
    assert clean.shape == (40, 75)  # nobody is actor 2
    np.testing.assert_array_equal(reference[20, :75], same.joints[0].ravel())
    np.testing.assert_array_equal(clean[20], main.joints[20].ravel())
    others = np.arange(40) != 20
    np.testing.assert_array_equal(clean[others], reference[others, :75])


def test_a_third_body_at_once_is_left_out() -> None:
    bodies = [make_body(name, span(0, 29), i, 9 - i) for i, name in enumerate("abc")]
    sequence = RawSequence(bodies, 30, 0, 0)
    for protocol in ("reference", "clean"):
        assert select_actors(sequence, protocol)[0].left_out == ("c",)
    reference, clean = choose(bodies, 30)
    np.testing.assert_array_equal(clean, reference)


def test_twice_in_a_frame() -> None:
    body = make_body("a", [0, 1, 1, 2], 1)
    clean, found = select_actors(RawSequence([body], 3, 0, 0), "clean")
    np.testing.assert_array_equal(clean.joints, body.joints[[0, 1, 3]].reshape(3, 75))
    assert found == ["a body that is twice in a frame counts once"]
