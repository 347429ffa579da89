"""The chain: against the public scripts, a plain second writing, and ``clean``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets.ntu import SampleName, convert_skeleton, make_splits
from gap_mmaction.datasets.ntu.actors import select_actors
from gap_mmaction.datasets.ntu.sample import finish_annotation
from gap_mmaction.datasets.ntu.skeleton_file import Body, RawSequence, parse_skeleton
from tests.ntu_recordings import Frame, format_skeleton, make_person

NAME = "S001C001P001R001A050"


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "golden" / "ntu_raw"


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


def plain_chain(text: str) -> np.ndarray | None:
    """Rules 1 to 8, written a second time; None where the reference has no result."""
    lines = text.splitlines()
    position, num_frames = 1, 0
    bodies: dict[str, dict[str, Any]] = {}
    for _ in range(int(lines[0])):  # rules 1 and 2
        num_bodies = int(lines[position])
        position += 1
        for _ in range(num_bodies):
            identity = lines[position].split()[0]
            body = bodies.setdefault(identity, {"start": num_frames, "frames": []})
            rows = [line.split()[:3] for line in lines[position + 2 : position + 27]]
            body["frames"].append(np.array(rows, dtype=np.float32))
            position += 27
        num_frames += num_bodies > 0
    chosen = list(bodies.values())
    if len(chosen) == 1:
        return plain_translate(np.array(chosen[0]["frames"]).reshape(-1, 75))
    chosen = plain_denoise(chosen)
    if not chosen:
        return None
    joints = plain_place(chosen, num_frames)
    return plain_translate(np.array([row for row in joints if row.sum() != 0]))


def plain_denoise(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules 3 to 5 and the order of rule 6."""
    bodies = [body for body in bodies if len(body["frames"]) > 11]
    left = list(bodies)
    for body in bodies:
        body["motion"] = np.var(np.concatenate(body["frames"]), axis=0).sum()
        clean = [
            frame
            for frame in body["frames"]
            if np.ptp(frame[:, 0]) <= np.float32(0.8) * np.ptp(frame[:, 1])
        ]
        num_noisy = len(body["frames"]) - len(clean)
        if not num_noisy or len(left) == 1:
            continue
        if num_noisy / len(body["frames"]) >= 0.69754:
            left = [other for other in left if other is not body]
        else:
            motion = np.var(np.concatenate(clean), axis=0).sum()
            body["motion"] = min(body["motion"], motion)
    return sorted(left, key=lambda body: -float(body["motion"]))


def plain_place(bodies: list[dict[str, Any]], num_frames: int) -> np.ndarray:
    """Rule 6."""
    width = 75 if len(bodies) == 1 else 150
    joints = np.zeros((num_frames, width), dtype=np.float32)
    intervals: list[list[int]] = [[], [0, 0]]
    for body in bodies:
        start, end = body["start"], body["start"] + len(body["frames"]) - 1
        for actor, interval in enumerate(intervals):
            if not interval:
                interval[:] = [start, end]
            elif min(interval[1], end) - max(interval[0], start) > 0:
                continue
            interval[:] = [min(interval[0], start), max(interval[1], end)]
            for i, frame in enumerate(body["frames"]):
                joints[start + i, 75 * actor : 75 * actor + 75] = frame.ravel()
            break
    return joints


def plain_translate(joints: np.ndarray) -> np.ndarray | None:
    """Rule 8."""
    origin = next((row[3:6] for row in joints if (row[:75] != 0).any()), None)
    if origin is None:
        return None
    result = joints - np.tile(origin, joints.shape[1] // 3)
    for i, row in enumerate(joints if joints.shape[1] == 150 else []):
        for part in (slice(0, 75), slice(75, 150)):
            if row[part].sum() == 0:
                result[i, part] = 0
    return result


def random_frames(rng: np.random.Generator) -> list[Frame]:
    """Bodies that come, go, come back, are short, wide, still or all zero."""
    num_frames = int(rng.integers(1, 60))
    frames: list[list[tuple[str, np.ndarray]]] = [[] for _ in range(num_frames)]
    previous_end = 0
    for i in range(int(rng.integers(1, 5))):
        length = min(int(rng.choice([3, 11, 12, 13, 20, 30, 50])), num_frames)
        start = int(rng.integers(0, num_frames - length + 1))
        if rng.random() < 0.4:  # where the one before ends, or one frame earlier
            start = min(max(previous_end - int(rng.integers(0, 3)), 0), num_frames - 1)
        indices = np.arange(start, min(start + length, num_frames))
        previous_end = int(indices[-1]) + 1
        if rng.random() < 0.3:
            indices = indices[rng.random(len(indices)) < 0.8]
        person = make_person(rng, num_frames, float(rng.choice([0.005, 0.02, 0.1])))
        if rng.random() < 0.4:
            wide = rng.random(num_frames) < rng.choice([0.1, 0.65, 0.7, 0.75])
            person[wide, :, 0] *= 5
        if rng.random() < 0.1:
            person[rng.random(num_frames) < 0.3] = 0
        if rng.random() < 0.1:  # sums to zero and is not zero
            person[rng.random(num_frames) < 0.2] = np.arange(-12, 13)[:, None] / 16
        if rng.random() < 0.1:  # a tie with another still body
            person[:] = 0.5
        identity = str(72057594037930000 + int(rng.integers(0, 3)) + 10 * i)
        for frame in indices:
            frames[frame].append((identity, person[frame]))
    return [[bodies[i] for i in rng.permutation(len(bodies))] for bodies in frames]


@pytest.mark.parametrize("seed", range(4))
def test_as_the_plain_chain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = set()
    for _ in range(40):
        data = format_skeleton(random_frames(rng), str(rng.choice(["\n", "\r\n"])))
        expected = plain_chain(data.decode())
        sample = convert_skeleton(data, NAME)
        if expected is None or sample.annotation is None:
            assert expected is sample.annotation is None
            assert [kind for kind, _ in sample.notes] == ["dropped"]
            shapes.add(0)
            continue
        np.testing.assert_array_equal(flatten(sample.annotation["keypoint"]), expected)
        shapes.add(len(sample.annotation["keypoint"]))
    assert shapes == {0, 1, 2}


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
    np.testing.assert_array_equal(*choose(bodies, 30))


def test_twice_in_a_frame() -> None:
    body = make_body("a", [0, 1, 1, 2], 1)
    clean, found = select_actors(RawSequence([body], 3, 0, 0), "clean")
    np.testing.assert_array_equal(clean.joints, body.joints[[0, 1, 3]].reshape(3, 75))
    assert found == ["a body that is twice in a frame counts once"]
