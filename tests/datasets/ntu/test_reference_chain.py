"""The chain against a plain second writing of the rules, on made-up files."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gap_mmaction.datasets.ntu import convert_skeleton
from gap_mmaction.datasets.ntu.generated import Frame, format_skeleton, make_person

NAME = "S001C001P001R001A050"


def plain_read(text: str) -> tuple[dict[str, dict[str, Any]], int]:
    """Rules 1 and 2."""
    lines = text.splitlines()
    position = 1
    bodies: dict[str, dict[str, Any]] = {}
    kept = 0
    for _ in range(int(lines[0])):
        num_bodies = int(lines[position])
        position += 1
        for _ in range(num_bodies):
            identity = lines[position].split()[0]
            joints = [
                np.array(line.split()[:3], dtype=np.float32)
                for line in lines[position + 2 : position + 27]
            ]
            position += 27
            body = bodies.setdefault(identity, {"start": kept, "frames": []})
            body["frames"].append(np.stack(joints))
        if num_bodies:
            kept += 1
    for body in bodies.values():
        body["joints"] = np.array(body["frames"])
        body["end"] = body["start"] + len(body["frames"]) - 1
    return bodies, kept


def plain_motion(frames: np.ndarray) -> Any:
    """Rule 3."""
    return np.var(frames.reshape(-1, 3), axis=0).sum()


def plain_chain(text: str) -> np.ndarray | None:
    """Rules 1 to 8; None where the reference has no result."""
    bodies, num_frames = plain_read(text)
    if not bodies:
        return None
    if len(bodies) == 1:
        (body,) = bodies.values()
        joints = body["joints"].reshape(-1, 75)
    else:
        chosen = plain_denoise(list(bodies.values()))
        if not chosen:
            return None
        joints = plain_place(chosen, num_frames)
        joints = np.array([row for row in joints if row.sum() != 0])
    return plain_translate(joints)


def plain_denoise(bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rules 4 and 5 and the order of rule 6."""
    bodies = [body for body in bodies if len(body["frames"]) > 11]
    if len(bodies) < 2:
        return bodies
    left = list(bodies)
    for body in bodies:
        body["motion"] = plain_motion(body["joints"])
        if len(left) == 1:
            break
        clean = []
        for frame in body["joints"]:
            width = frame[:, 0].max() - frame[:, 0].min()
            height = frame[:, 1].max() - frame[:, 1].min()
            if width <= np.float32(0.8) * height:
                clean.append(frame)
        num_noisy = len(body["joints"]) - len(clean)
        if num_noisy == 0:
            continue
        if num_noisy / len(body["joints"]) >= 0.69754:
            left = [other for other in left if other is not body]
        else:
            body["motion"] = min(body["motion"], plain_motion(np.array(clean)))
    for body in left:
        body.setdefault("motion", 0)
    return sorted(left, key=lambda body: -float(body["motion"]))


def plain_place(bodies: list[dict[str, Any]], num_frames: int) -> np.ndarray:
    """Rule 6."""
    if len(bodies) == 1:
        joints = np.zeros((num_frames, 75), dtype=np.float32)
        for i, frame in enumerate(bodies[0]["joints"]):
            joints[bodies[0]["start"] + i] = frame.ravel()
        return joints
    joints = np.zeros((num_frames, 150), dtype=np.float32)
    actor1: list[int] = []
    actor2 = [0, 0]
    for body in bodies:
        start, end = body["start"], body["end"]
        if not actor1:
            actor1 = [start, end]
            offset = 0
        elif min(actor1[1], end) - max(actor1[0], start) <= 0:
            actor1 = [min(actor1[0], start), max(actor1[1], end)]
            offset = 0
        elif min(actor2[1], end) - max(actor2[0], start) <= 0:
            actor2 = [min(actor2[0], start), max(actor2[1], end)]
            offset = 75
        else:
            continue
        for i, frame in enumerate(body["joints"]):
            joints[start + i, offset : offset + 75] = frame.ravel()
    return joints


def plain_translate(joints: np.ndarray) -> np.ndarray | None:
    """Rule 8."""
    origin = None
    for row in joints:
        if (row[:75] != 0).any():
            origin = row[3:6].copy()
            break
    if origin is None:
        return None
    result = joints.copy()
    for i, row in enumerate(joints):
        for j in range(0, len(row), 3):
            result[i, j : j + 3] = row[j : j + 3] - origin
        if len(row) == 150:
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
        person = make_person(
            rng, num_frames, sway=float(rng.choice([0.005, 0.02, 0.1]))
        )
        if rng.random() < 0.4:
            wide = rng.random(num_frames) < rng.choice([0.1, 0.65, 0.7, 0.75])
            person[wide, :, 0] *= 5
        if rng.random() < 0.1:
            person[rng.random(num_frames) < 0.3] = 0
        if rng.random() < 0.1:  # sums to zero and is not zero
            person[rng.random(num_frames) < 0.2] = np.arange(-12, 13)[:, None] / 16
        if rng.random() < 0.1:  # a tie with another still body
            person[:] = person[0] * 0 + 0.5
        identity = str(72057594037930000 + int(rng.integers(0, 3)) + 10 * i)
        for frame in indices:
            frames[frame].append((identity, person[frame]))
    for bodies in frames:
        rng.shuffle(bodies)  # type: ignore[arg-type]
    return [list(bodies) for bodies in frames]


@pytest.mark.parametrize("seed", range(4))
def test_as_the_plain_chain(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shapes = set()
    for _ in range(40):
        newline = str(rng.choice(["\n", "\r\n"]))
        data = format_skeleton(random_frames(rng), newline)
        expected = plain_chain(data.decode())
        sample = convert_skeleton(data, NAME)
        if expected is None:
            assert sample.annotation is None
            assert [kind for kind, _ in sample.notes] == ["dropped"]
            shapes.add(0)
            continue
        assert sample.annotation is not None
        keypoint = sample.annotation["keypoint"]
        assert sample.annotation["total_frames"] == len(expected)
        found = keypoint.transpose(1, 0, 2, 3).reshape(len(expected), -1)
        np.testing.assert_array_equal(found, expected)
        shapes.add(len(keypoint))
    assert shapes == {0, 1, 2}
