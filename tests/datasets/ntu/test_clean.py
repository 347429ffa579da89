"""What ``clean`` does otherwise than ``reference``."""

from __future__ import annotations

import numpy as np

from gap_mmaction.datasets.ntu.actors import place_clean, place_reference
from gap_mmaction.datasets.ntu.body import Body
from gap_mmaction.datasets.ntu.raw_sequence import RawSequence
from gap_mmaction.datasets.ntu.sample import select_actors


def make_body(identity: str, frames: list[int], value: float, move: float = 1) -> Body:
    """A narrow body; ``move`` is the size of its movements."""
    rng = np.random.default_rng(len(frames))
    joints = rng.normal(0, 0.1 * move, (len(frames), 25, 3)) + value
    joints[..., 1] += np.linspace(-1, 1, 25)
    joints[..., 0] *= 0.1
    return Body(identity, joints.astype(np.float32), np.array(frames))


def span(first: int, last: int) -> list[int]:
    return list(range(first, last + 1))


def choose(bodies: list[Body], num_frames: int, protocol: str) -> np.ndarray:
    return select_actors(RawSequence(bodies, num_frames, 0, 0), protocol)[0].joints


def changes(bodies: list[Body], num_frames: int) -> list[str]:
    found = select_actors(RawSequence(bodies, num_frames, 0, 0), "clean")[1]
    return [change[:6] for change in found]


def test_rule_2_gap_stays() -> None:
    main = make_body("a", span(0, 39), 1, move=3)
    other = make_body("b", span(5, 14) + span(30, 39), 2)
    reference = choose([main, other], 40, "reference")
    clean = choose([main, other], 40, "clean")
    present = clean[:, 75:].any(axis=1)
    assert np.flatnonzero(present).tolist() == other.frames.tolist()
    np.testing.assert_array_equal(clean[30:, 75:], other.joints[10:].reshape(10, 75))
    assert np.flatnonzero(reference[:, 75:].any(axis=1)).tolist() == span(5, 24)
    assert changes([main, other], 40) == ["rule 2"]


def test_rule_6_start_of_actor_2() -> None:
    main = make_body("a", span(0, 49), 1, move=9)
    late = make_body("b", span(25, 49), 2, move=3)
    early = make_body("c", span(3, 20), 3)
    bodies = [main, late, early]
    assert place_reference(bodies, 50).left_out == ("c",)
    assert not choose(bodies, 50, "reference")[:20, 75:].any()
    clean = choose(bodies, 50, "clean")
    np.testing.assert_array_equal(clean[3:21, 75:], early.joints.reshape(18, 75))
    assert changes(bodies, 50) == ["rule 6"]


def test_rule_6_shared_frame_is_kept() -> None:
    main = make_body("a", span(0, 20), 1, move=3)
    same = make_body("b", span(20, 39), 2)
    reference = choose([main, same], 40, "reference")
    clean = choose([main, same], 40, "clean")
    assert reference.shape == (40, 150)
    assert clean.shape == (40, 75)  # nobody is actor 2
    np.testing.assert_array_equal(reference[20, :75], same.joints[0].ravel())
    np.testing.assert_array_equal(clean[20], main.joints[20].ravel())
    np.testing.assert_array_equal(
        np.delete(clean, 20, 0), np.delete(reference, 20, 0)[:, :75]
    )
    assert changes([main, same], 40) == ["rule 6"]


def test_a_third_body_at_once_is_left_out() -> None:
    bodies = [make_body(name, span(0, 29), i, 9 - i) for i, name in enumerate("abc")]
    assert place_clean(bodies, 30).left_out == ("c",)
    assert changes(bodies, 30) == []
    np.testing.assert_array_equal(
        choose(bodies, 30, "clean"), choose(bodies, 30, "reference")
    )


def test_twice_in_a_frame() -> None:
    body = make_body("a", [0, 1, 1, 2], 1)
    clean, found = select_actors(RawSequence([body], 3, 0, 0), "clean")
    np.testing.assert_array_equal(clean.joints, body.joints[[0, 1, 3]].reshape(3, 75))
    assert found == ["a body that is twice in a frame counts once"]
