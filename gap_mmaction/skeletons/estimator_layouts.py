"""The layouts of pose estimators; a joint of another layout too has its name there.

* ``mediapipe``: the 33 landmarks of MediaPipe Pose (BlazePose), by their places in
  space, ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker;
* ``openpose18``, ``openpose25``: OpenPose's ``COCO`` and ``BODY_25``, in its
  doc/02_output.md;
* ``halpe26``: Halpe-FullBody with 26 joints, of AlphaPose,
  github.com/Fang-Haoshu/Halpe-FullBody.
"""

from __future__ import annotations

from collections.abc import Sequence

from .skeleton import Skeleton

_FACE = ("eye inner", "eye", "eye outer", "ear")
_HEAD = {"nose", *_FACE, "mouth left", "mouth right", "neck", "top of head"}
_HAND = {"wrist", "pinky", "index", "thumb"}
_FOOT = {"ankle", "heel", "foot index", "big toe", "small toe"}
_HIP = {"hip", "hip centre"}


def _pairs(*names: str) -> tuple[str, ...]:
    """Returns the joints with a left and a right one, the left one first."""
    return tuple(f"{side} {name}" for name in names for side in ("left", "right"))


def _side(side: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{side} {name}" for name in names)


def _layout(
    name: str, joints: Sequence[str], parents: Sequence[int], num_coordinates: int = 2
) -> Skeleton:
    """Makes a layout whose parts are those of ``coco``, by the names of its joints.

    The centre is its own parent. Wrist and ankle are in the arm and in the leg too if
    more joints follow them, as in the Kinects' layouts.
    """
    bases = [joint.replace("left ", "").replace("right ", "") for joint in joints]

    def group(*names: str) -> tuple[int, ...]:
        return tuple(i for i, base in enumerate(bases) if base in names)

    bones = tuple(enumerate(parents))
    centre = next(joint for joint, parent in bones if joint == parent)
    wrist = ("wrist",) if "pinky" in bases else ()
    ankle = ("ankle",) if "heel" in bases else ()
    return Skeleton(
        name=name,
        joint_names=tuple(joints),
        edges=tuple(bone for bone in bones if bone[0] != centre),
        bones=bones,
        centre=centre,
        parts={
            "upper": group(*_HEAD, "shoulder", "elbow", *_HAND),
            "lower": group(*_HIP, "knee", *_FOOT),
            "head": group(*_HEAD),
            "hand-arm": group("shoulder", "elbow", *_HAND),
            "arm": group("shoulder", "elbow", *wrist),
            "hand": group(*_HAND),
            "hip": group(*_HIP),
            "leg-foot": group("hip", "knee", *_FOOT),
            "leg": group("hip", "knee", *ankle),
            "foot": group(*_FOOT),
        },
        num_coordinates=num_coordinates,
    )


_MEDIAPIPE = _layout(
    "mediapipe",
    (
        *("nose", *_side("left", *_FACE[:3]), *_side("right", *_FACE[:3])),
        *(*_pairs("ear"), "mouth left", "mouth right"),
        *_pairs("shoulder", "elbow", "wrist", "pinky", "index", "thumb"),
        *_pairs("hip", "knee", "ankle", "heel", "foot index"),
    ),
    # A tree, which MediaPipe's own connections are not.
    (
        *(0, 0, 1, 2, 0, 4, 5, 3, 6, 0, 0, 0, 0, 11, 12, 13, 14, 15, 16, 15, 16, 15),
        *(16, 11, 12, 23, 24, 25, 26, 27, 28, 27, 28),
    ),
    num_coordinates=3,
)

_ARM, _LEG = ("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")
_OPENPOSE18 = _layout(
    "openpose18",
    (
        *("nose", "neck", *_side("right", *_ARM), *_side("left", *_ARM)),
        *(*_side("right", *_LEG), *_side("left", *_LEG)),
        *("right eye", "left eye", "right ear", "left ear"),
    ),
    # As mmaction2's layout `openpose`: the hips hang on the shoulders.
    (1, 1, 1, 2, 3, 1, 5, 6, 2, 8, 9, 5, 11, 12, 0, 0, 14, 15),
)

_TOES = ("big toe", "small toe", "heel")
_OPENPOSE25 = _layout(
    "openpose25",
    (
        *("nose", "neck", *_side("right", *_ARM), *_side("left", *_ARM), "hip centre"),
        *(*_side("right", *_LEG), *_side("left", *_LEG)),
        *("right eye", "left eye", "right ear", "left ear"),
        *(*_side("left", *_TOES), *_side("right", *_TOES)),
    ),
    (
        *(1, 1, 1, 2, 3, 1, 5, 6, 1, 8, 9, 10, 8, 12, 13, 0, 0, 15, 16, 14, 19, 14),
        *(11, 22, 11),
    ),
)

_HALPE26 = _layout(
    "halpe26",
    (
        *("nose", *_pairs("eye", "ear", *_ARM, *_LEG)),
        *("top of head", "neck", "hip centre", *_pairs(*_TOES)),
    ),
    # AlphaPose's, with the nose on the neck to make them one tree.
    (
        *(18, 0, 0, 1, 2, 18, 18, 5, 6, 7, 8, 19, 19, 11, 12, 13, 14, 18, 18, 18, 24),
        *(25, 24, 25, 15, 16),
    ),
)

ESTIMATOR_LAYOUTS = (_MEDIAPIPE, _OPENPOSE18, _OPENPOSE25, _HALPE26)
