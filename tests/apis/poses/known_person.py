"""One person, and what each estimator would say of it."""

from __future__ import annotations

import numpy as np

from gap_mmaction.skeletons import get_skeleton

SIZE = (480, 640)  # height, width


def make_person(layout: str, seed: int = 0) -> np.ndarray:
    """Returns ``[V, 3]`` in the picture, every joint name at a place of its own."""
    names = get_skeleton(layout).joint_names
    rows = []
    for name in names:
        rng = np.random.default_rng([seed, *name.encode()])
        rows.append([*rng.uniform((1, 1), (SIZE[1], SIZE[0])), rng.uniform(0.1, 0.9)])
    return np.array(rows)


# The right hand is raised, the person faces the camera: MediaPipe's axes, metres.
_BODY = {
    "nose": (0, -0.62, -0.15),
    "ear": (0.07, -0.62, 0),
    "shoulder": (0.18, -0.48, 0),
    "elbow": (0.22, -0.22, 0),
    "wrist": (0.24, 0.02, -0.03),
    "pinky": (0.25, 0.1, -0.03),
    "index": (0.23, 0.1, -0.06),
    "hip": (0.1, 0, 0),
    "knee": (0.1, 0.42, 0),
    "ankle": (0.1, 0.82, 0.03),
    "foot index": (0.12, 0.88, -0.12),
}
_RAISED = {
    "right elbow": (-0.25, -0.68, 0),
    "right wrist": (-0.25, -0.92, 0),
    "right pinky": (-0.26, -1, 0),
    "right index": (-0.24, -1, 0),
}


def make_world_landmarks() -> np.ndarray:
    """Returns ``[33, 3]`` as MediaPipe has it; what is not needed is at the nose."""
    rows = []
    for name in get_skeleton("mediapipe").joint_names:
        side, _, base = name.partition(" ")
        x, y, z = _RAISED.get(name, _BODY.get(base, _BODY["nose"]))
        rows.append((-abs(x) if side == "right" else x, y, z))
    return np.array(rows)
