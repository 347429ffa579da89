"""The layouts of pose estimators; a joint of another layout too has its name there.

* ``mediapipe``: the 33 landmarks of MediaPipe Pose (BlazePose), by their places in
  space, ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker;
* ``openpose18``, ``openpose25``: OpenPose's ``COCO`` and ``BODY_25``, in its
  doc/02_output.md;
* ``halpe26``: Halpe-FullBody with 26 joints, of AlphaPose,
  github.com/Fang-Haoshu/Halpe-FullBody.
"""

from __future__ import annotations

from .skeleton import Skeleton

_EYE = ("eye inner", "eye", "eye outer")
_HEAD = ("nose", *_EYE, "ear", "mouth left", "mouth right", "neck", "top of head")
_HAND = ("wrist", "pinky", "index", "thumb")
_FOOT = ("ankle", "heel", "foot index", "big toe", "small toe")
_ARM, _LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
# A joint hangs on the one before it, of its own side, unless a layout says otherwise.
_CHAINS = (
    *(("neck", "nose", "eye", "ear"), ("neck", "top of head")),
    *(("neck", *_ARM, "pinky"), ("wrist", "index"), ("wrist", "thumb")),
    *(("neck", "hip centre", *_LEG, "heel"), ("ankle", "foot index")),
    ("ankle", "big toe", "small toe"),
)


def _pairs(*names: str) -> tuple[str, ...]:
    """Returns the joints with a left and a right one, the left one first."""
    return tuple(f"{side} {name}" for name in names for side in ("left", "right"))


def _sides(first: str, second: str, *names: str) -> tuple[str, ...]:
    """Returns all joints of one side, then those of the other."""
    return tuple(f"{side} {name}" for side in (first, second) for name in names)


def _layout(
    name: str,
    joints: tuple[str, ...],
    *chains: tuple[str, ...],
    centre: str = "neck",
    num_coordinates: int = 2,
) -> Skeleton:
    """Makes a layout whose parts are those of ``coco``, by the names of its joints.

    Wrist and ankle are in the arm and in the leg too if more joints follow them, as in
    the Kinects' layouts.
    """
    bases = [joint.replace("left ", "").replace("right ", "") for joint in joints]
    parents = {b: a for chain in (*_CHAINS, *chains) for a, b in zip(chain, chain[1:])}
    parents[centre] = centre

    def parent_of(joint: str, base: str) -> int:
        beside = joint.replace(base, parents[base])
        return joints.index(beside if beside in joints else parents[base])

    def group(*names: str) -> tuple[int, ...]:
        return tuple(i for i, base in enumerate(bases) if base in names)

    bones = tuple(enumerate(map(parent_of, joints, bases)))
    return Skeleton(
        name=name,
        joint_names=joints,
        edges=tuple(bone for bone in bones if bone[0] != bone[1]),
        bones=bones,
        centre=joints.index(centre),
        parts={
            "upper": group(*_HEAD, *_ARM, *_HAND),
            "lower": group("hip centre", *_LEG, *_FOOT),
            "head": group(*_HEAD),
            "hand-arm": group(*_ARM, *_HAND),
            "arm": group(*_ARM[: 3 if "pinky" in bases else 2]),
            "hand": group(*_HAND),
            "hip": group("hip", "hip centre"),
            "leg-foot": group(*_LEG, *_FOOT),
            "leg": group(*_LEG[: 3 if "heel" in bases else 2]),
            "foot": group(*_FOOT),
        },
        num_coordinates=num_coordinates,
    )


_MEDIAPIPE = _layout(
    "mediapipe",
    (
        *("nose", *_sides("left", "right", *_EYE), *_pairs("ear")),
        *("mouth left", "mouth right", *_pairs(*_ARM, *_HAND[1:])),
        *_pairs(*_LEG, "heel", "foot index"),
    ),
    # A tree, which MediaPipe's own connections are not.
    *(("nose", *_EYE, "ear"), ("nose", "mouth left"), ("nose", "mouth right")),
    ("nose", "shoulder", "hip"),
    centre="nose",
    num_coordinates=3,
)

_TRUNK = ("nose", "neck", *_sides("right", "left", *_ARM))
_LEGS = _sides("right", "left", *_LEG)
_EYES = ("right eye", "left eye", "right ear", "left ear")
_TOES = ("big toe", "small toe", "heel")
_OPENPOSE18 = _layout(
    "openpose18",
    (*_TRUNK, *_LEGS, *_EYES),
    ("shoulder", "hip"),  # as in mmaction2's layout `openpose`
)
_OPENPOSE25 = _layout(
    "openpose25",
    (*_TRUNK, "hip centre", *_LEGS, *_EYES, *_sides("left", "right", *_TOES)),
)
_HALPE26 = _layout(
    "halpe26",
    (
        *("nose", *_pairs("eye", "ear", *_ARM, *_LEG)),
        *("top of head", "neck", "hip centre", *_pairs(*_TOES)),
    ),
    # AlphaPose's, with the nose on the neck to make them one tree.
    *(("heel", "big toe"), ("heel", "small toe")),
)

ESTIMATOR_LAYOUTS = (_MEDIAPIPE, _OPENPOSE18, _OPENPOSE25, _HALPE26)
