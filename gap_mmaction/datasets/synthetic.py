"""A small skeleton set made by the project itself.

It serves ``make demo`` and the tests: ten actions of a jointed body, acted by
performers of different build, tempo, vigour, posture and handedness, seen from several
sides by a noisy sensor, and split by performer as NTU RGB+D's X-Sub is. Nothing in it
was recorded: it proves nothing about real skeletons.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from gap_mmaction.datasets.synthetic_body import (
    ACTIONS,
    TWINS,
    YAW,
    forward_kinematics,
    mirror,
    perform,
    rest_offsets,
    rotations,
    stand_on_floor,
)
from gap_mmaction.utils.restricted_pickle import write_annotations

FRAME_RATE = 15.0  # frames a second
FRAMES = (36, 60)  # of the shortest and the longest sequence
VIEWS = (-50.0, 0.0, 50.0)  # degrees of the cameras from the performer's front


@dataclass(frozen=True)
class Performer:
    """What one person's sequences have in common."""

    offsets: np.ndarray  # of each joint from its parent, [V, 3] in metres
    posture: np.ndarray  # angles added to every frame, [V, 3] in radians
    tempo: float  # factor of the speed
    vigour: float  # factor of every move
    left_handed: bool
    fidgeting: float  # how much of another action the person mixes in


def draw_performer(rng: np.random.Generator) -> Performer:
    """Draws a person."""
    offsets = rest_offsets()
    limbs = rng.normal(1.0, 0.05, size=(len(offsets), 1))
    limbs = (limbs + limbs[TWINS]) / 2  # both sides alike
    return Performer(
        offsets=offsets * limbs * rng.uniform(0.85, 1.1),
        posture=np.radians(rng.normal(0.0, 4.0, size=offsets.shape)),
        tempo=float(np.exp(rng.normal(0.0, 0.2))),
        vigour=float(rng.uniform(0.7, 1.2)),
        left_handed=bool(rng.random() < 0.25),
        fidgeting=float(rng.uniform(0.0, 0.35)),
    )


def act(
    label: int, performer: Performer, num_frames: int, rng: np.random.Generator
) -> np.ndarray:
    """Lets a person act: positions ``[T, V, 3]`` in metres, body axes."""
    seconds = np.arange(num_frames) / FRAME_RATE
    angles = performer.posture + _sway(seconds, performer.posture.shape, rng)
    other = int(rng.integers(len(ACTIONS)))
    for index, part in ((label, performer.vigour), (other, performer.fidgeting)):
        action = ACTIONS[index]
        tempo = action.tempo * performer.tempo * np.exp(rng.normal(0.0, 0.1))
        phase = 2 * np.pi * (tempo * seconds + rng.random())
        moves = len(action.moves)
        strength = part * np.exp(rng.normal(0.0, 0.2, size=(moves, 1)))
        angles += perform(action, phase, strength * _presence(seconds, rng))
    if not performer.left_handed:
        angles = mirror(angles)
    return stand_on_floor(forward_kinematics(angles, performer.offsets))


def film(positions: np.ndarray, view: float, rng: np.random.Generator) -> np.ndarray:
    """Films a person with a noisy depth camera, ``view`` degrees aside.

    Positions ``[T, V, 3]`` are in metres; x goes to the right of the picture, y up, z
    away from the camera.
    """
    heading = np.zeros(3)
    heading[YAW] = np.radians(view + rng.normal(0.0, 10.0))
    tilt = np.array([np.radians(rng.normal(0.0, 6.0)), 0.0, 0.0])
    # Who looks at the camera looks along -z and has the left hand to the right.
    seen = positions @ rotations(heading).T * np.array([1.0, 1.0, -1.0])
    seen = seen @ rotations(tilt).T
    seen = seen + np.array([rng.normal(0.0, 0.3), -0.9, rng.uniform(2.5, 4.0)])
    return _disturb(seen, rng)


def make_synthetic(
    seed: int = 0,
    num_performers: int = 20,
    num_train_performers: int = 12,
    repetitions: int = 4,
) -> dict[str, Any]:
    """Makes the set, the same one from the same seed.

    Every performer does every action ``repetitions`` times, each time before the next
    camera of ``VIEWS``. The first ``num_train_performers`` are for training.

    Returns:
        Annotations as ``SafePoseDataset`` and ``PoseDataset`` read them: splits
        ``xsub_train`` and ``xsub_val``, ``keypoint`` float32 ``[1, T, 25, 3]``.
    """
    if not 0 < num_train_performers < num_performers or repetitions < 1:
        raise ValueError(
            f"{num_performers=}, {num_train_performers=}, {repetitions=} leave a split "
            "empty; 0 < num_train_performers < num_performers, repetitions >= 1 needed"
        )
    split: dict[str, list[str]] = {"xsub_train": [], "xsub_val": []}
    annotations = []
    for person in range(num_performers):
        performer = draw_performer(np.random.default_rng((seed, person)))
        for label in range(len(ACTIONS)):
            for repetition in range(repetitions):
                # A generator of its own, so that no sequence depends on the others.
                rng = np.random.default_rng((seed, person, label, repetition))
                view = (person + label + repetition) % len(VIEWS)
                num_frames = int(rng.integers(FRAMES[0], FRAMES[1] + 1))
                positions = act(label, performer, num_frames, rng)
                keypoint = film(positions, VIEWS[view], rng).astype(np.float32)
                name = f"p{person:03d}a{label:02d}r{repetition:02d}v{view:02d}"
                item = {"frame_dir": name, "label": label, "total_frames": num_frames}
                annotations.append({**item, "keypoint": keypoint[None]})
                key = "xsub_train" if person < num_train_performers else "xsub_val"
                split[key].append(name)
    return {"split": split, "annotations": annotations}


def write_synthetic(path: str | PathLike[str], seed: int = 0, **options: int) -> None:
    """Makes the set and writes it to a ``.pkl`` file, see :func:`make_synthetic`."""
    write_annotations(make_synthetic(seed, **options), path)


def _sway(
    seconds: np.ndarray, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray:
    """Slow involuntary motion of all joints, ``[T, V, 3]`` in radians."""
    waves = 3
    frequency = rng.uniform(0.1, 0.9, size=(waves, 1, *shape))
    phase = rng.uniform(0.0, 2 * np.pi, size=(waves, 1, *shape))
    size = np.radians(rng.normal(0.0, 2.0, size=(waves, 1, *shape)))
    angle = 2 * np.pi * frequency * seconds[:, None, None] + phase
    return np.asarray((size * np.sin(angle)).sum(axis=0))


def _presence(seconds: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Factor ``[T]`` that lets an action begin late and end early."""
    duration, rise = seconds[-1], 0.25
    begin = rng.uniform(-0.3, 0.25) * duration
    end = duration - rng.uniform(-0.3, 0.25) * duration
    steps = np.tanh((seconds - begin) / rise) - np.tanh((seconds - end) / rise)
    return np.asarray(steps / 2)


def _disturb(positions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds what a depth camera adds: noise, and joints that are lost for a while."""
    num_frames, num_joints, _ = positions.shape
    noise = rng.uniform(0.005, 0.012)
    noisy = positions + rng.normal(0.0, noise, size=positions.shape)
    for _ in range(int(rng.integers(0, 6))):
        lost = int(rng.integers(num_joints))
        begin = int(rng.integers(0, num_frames - 1))
        end = min(num_frames, begin + int(rng.integers(3, 15)))
        # It stays where it was last seen, or jumps beside it.
        noisy[begin:end, lost] = noisy[begin, lost] + rng.normal(0.0, 0.08, size=3)
    return np.asarray(noisy)
