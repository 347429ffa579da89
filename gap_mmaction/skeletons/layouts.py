"""One table per joint layout: names, edges, bones, centre and part groups.

This is the only module with joint numbers in it; all of them count from 0. At its end:
how the transforms of a pipeline get the layout of their data set.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any, Union

from gap_mmaction.openmmlab import TRANSFORMS
from gap_mmaction.utils.config_parts import innermost_data

from .estimator_layouts import ESTIMATOR_LAYOUTS
from .layout_reader import LayoutReader
from .skeleton import Edge, Skeleton

Layout = Union[str, Mapping[str, Any], Skeleton]


def get_skeleton(layout: Layout) -> Skeleton:
    """Looks a layout up by its name, or reads it from a ``dict``.

    A ``dict`` has the keys of mmaction2's ``Graph`` (``num_node``, ``inward``,
    ``center``), so that it serves stock backbones too, and more:

    * ``inward``: ``(child, parent)`` pairs, 0-based, at least one per joint but the
      center;
    * ``center``: the joint that the bones are rooted in;
    * ``joints``: the joints' names, or ``num_node``, their number;
    * ``parts``: ``{part: [joint, ...]}``, joints by number or by name;
    * optional: ``name``; ``bones``, ``(joint, parent)`` pairs, taken from ``inward``
      if they are not given; ``bone_parts``, parts that differ on bone streams;
      ``num_coordinates``, 2 for joints in a picture, 3 if it is not given; ``spine``,
      its bottom and its top, and ``shoulders``, the right and the left one, by which
      ``FastPreNormalize3D`` turns a body.

    Raises:
        ValueError: If the layout is unknown or wrong; the message says where.
        TypeError: If it is neither a name nor a ``dict``.

    Examples:
        >>> get_skeleton('nw-ucla').part('head')
        (2, 3)
        >>> get_skeleton(dict(joints=['root', 'tip'], inward=[(1, 0)], center=0,
        ...                   parts=dict(tip=['tip']))).part('tip')
        (1,)
    """
    if isinstance(layout, Skeleton):
        return layout
    if isinstance(layout, str):
        if layout not in _LAYOUTS:
            raise ValueError(
                f"skeleton layout {layout!r} is unknown; use one of {layouts()}, or a "
                "dict with the keys joints, inward, center and parts"
            )
        return _LAYOUTS[layout]
    if isinstance(layout, Mapping):
        return LayoutReader(layout).read()
    raise TypeError(
        f"a skeleton layout is a name or a dict, got {type(layout).__name__}: {layout}"
    )


def layouts() -> list[str]:
    """Lists the names of the layouts that are built in."""
    return list(_LAYOUTS)


def find_test_pipeline(config: Mapping[str, Any]) -> Any:
    """Finds the transforms that a test run of a whole config applies.

    Returns:
        Those of ``test_dataloader``, with the layout of its data set; without such a
        loader ``test_pipeline``; None if the config has neither.
    """
    data = innermost_data(config.get("test_dataloader")).settings
    if data.get("pipeline") is None:
        return config.get("test_pipeline")
    return fill_layout(data["pipeline"], data.get("layout"))


def fill_layout(pipeline: Any, layout: Any) -> Any:
    """Sets a data set's layout, if any, in the transforms that take one and lack it."""
    if layout is None:
        return pipeline
    return [
        {**step, "layout": layout} if _lacks_layout(step) else step for step in pipeline
    ]


def _lacks_layout(step: Any) -> bool:
    if not isinstance(step, Mapping) or "layout" in step:
        return False
    kind = step.get("type")
    kind = TRANSFORMS.get(kind) if isinstance(kind, str) else kind
    return kind is not None and "layout" in inspect.signature(kind).parameters


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


def _sorted(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Puts edges in the order of their children, as the published lists are."""
    return tuple(sorted(edges))


def _from_one(*pairs: Edge) -> tuple[Edge, ...]:
    """Counts joints from 0 in pairs that count from 1, as the data sets' papers do."""
    return tuple((child - 1, parent - 1) for child, parent in pairs)


# The joints of the arms and legs, in the order in which both Kinects give them.
_LIMBS = (
    *("left shoulder", "left elbow", "left wrist", "left hand"),
    *("right shoulder", "right elbow", "right wrist", "right hand"),
    *("left hip", "left knee", "left ankle", "left foot"),
    *("right hip", "right knee", "right ankle", "right foot"),
)
_LIMB_EDGES = _from_one(
    *((6, 5), (7, 6), (8, 7), (10, 9), (11, 10), (12, 11)),
    *((13, 1), (14, 13), (15, 14), (16, 15), (17, 1), (18, 17), (19, 18), (20, 19)),
)
_LIMB_PARTS: dict[str, tuple[int, ...]] = {
    "leg-foot": _span(12, 19),
    "arm": (4, 5, 6, 8, 9, 10),
    "leg": (12, 13, 14, 16, 17, 18),
    "foot": (14, 15, 18, 19),
    "lower": (0, *_span(12, 19)),
}

# Trunk 0-3, arms 4-11, legs 12-19 as in Kinect v1; then the spine between the
# shoulders, to which the second Kinect hangs neck and arms, and the hand tips.
_NTU_TRUNK = _from_one((1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (9, 21))
_NTU_BODY = (*_NTU_TRUNK, *_LIMB_EDGES)
_NTU_AUTHOR_EDGES = _sorted(
    (*_NTU_BODY, *_from_one((22, 23), (23, 8), (24, 25), (25, 12)))
)
_NTU = Skeleton(
    name="nturgb+d",
    joint_names=(
        *("base of spine", "middle of spine", "neck", "head"),
        *_LIMBS,
        "spine",
        *("tip of left hand", "left thumb", "tip of right hand", "right thumb"),
    ),
    edges=_sorted((*_NTU_BODY, *_from_one((22, 8), (23, 8), (24, 12), (25, 12)))),
    author_edges=_NTU_AUTHOR_EDGES,
    bones=(*_NTU_AUTHOR_EDGES, (20, 20)),
    centre=20,
    # The public implementation roots the matrix it makes bones with in the middle of
    # the spine.
    hierarchy_root=1,
    hierarchy_powers=(8, 1),
    # As mmaction2's PreNormalize3D has them.
    spine=(0, 1),
    shoulders=(8, 4),
    parts={
        "upper": (*_span(1, 11), *_span(20, 24)),
        "head": (2, 3, 20),
        "hand-arm": (*_span(4, 11), *_span(21, 24)),
        "hand": (6, 7, 10, 11, *_span(21, 24)),
        "hip": (0, 1, 2, 12, 16),
        **_LIMB_PARTS,
    },
    # The groups of the public implementation for its bone streams.
    bone_parts={
        "head": (2, 3),
        "hand-arm": (*_span(4, 11), 20, 22, 23, 24),
        "hip": (0, 1, 12, 16),
    },
)

_UCLA_EDGES = _sorted(
    (*_from_one((1, 2), (2, 3), (4, 3), (5, 3), (9, 3)), *_LIMB_EDGES)
)
_NW_UCLA = Skeleton(
    name="nw-ucla",
    joint_names=("hip centre", "spine", "shoulder centre", "head", *_LIMBS),
    edges=_UCLA_EDGES,
    bones=(*_UCLA_EDGES, (2, 2)),
    centre=2,
    hierarchy_powers=(6, 1),
    hierarchy_reverse=True,
    spine=(0, 1),
    shoulders=(8, 4),
    parts={
        "upper": _span(1, 11),
        "head": (2, 3),
        "hand-arm": _span(4, 11),
        "hand": (6, 7, 10, 11),
        "hip": (0, 1, 12, 16),
        **_LIMB_PARTS,
    },
)

_COCO = Skeleton(
    name="coco",
    joint_names=(
        *("nose", "left eye", "right eye", "left ear", "right ear"),
        *("left shoulder", "right shoulder", "left elbow", "right elbow"),
        *("left wrist", "right wrist", "left hip", "right hip"),
        *("left knee", "right knee", "left ankle", "right ankle"),
    ),
    edges=(
        *((15, 13), (13, 11), (16, 14), (14, 12), (11, 5), (12, 6), (9, 7), (7, 5)),
        *((10, 8), (8, 6), (5, 0), (6, 0), (1, 0), (3, 1), (2, 0), (4, 2)),
    ),
    # As mmaction2's `JointToBone`: the hips hang on the nose, not on the shoulders.
    bones=(
        *((0, 0), (1, 0), (2, 0), (3, 1), (4, 2), (5, 0), (6, 0), (7, 5), (8, 6)),
        *((9, 7), (10, 8), (11, 0), (12, 0), (13, 11), (14, 12), (15, 13), (16, 14)),
    ),
    centre=0,
    parts={
        "upper": _span(0, 10),
        "lower": _span(11, 16),
        "head": _span(0, 4),
        "hand-arm": _span(5, 10),
        "arm": _span(5, 8),
        "hand": (9, 10),
        "hip": (11, 12),
        "leg-foot": _span(11, 16),
        "leg": _span(11, 14),
        "foot": (15, 16),
    },
    num_coordinates=2,
)

_OPENNI_EDGES = (
    *((1, 2), (0, 1), (3, 1), (4, 3), (5, 4), (6, 1), (7, 6), (8, 7)),
    *((9, 2), (10, 9), (11, 10), (12, 2), (13, 12), (14, 13)),
)
_OPENNI = Skeleton(
    name="openni-15",
    joint_names=(
        *("head", "neck", "torso"),
        *("left shoulder", "left elbow", "left hand"),
        *("right shoulder", "right elbow", "right hand"),
        *("left hip", "left knee", "left foot"),
        *("right hip", "right knee", "right foot"),
    ),
    edges=_OPENNI_EDGES,
    bones=(*_OPENNI_EDGES, (2, 2)),
    centre=2,
    parts={
        "upper": _span(0, 8),
        "lower": _span(9, 14),
        "head": (0, 1),
        "hand-arm": _span(3, 8),
        "arm": (3, 4, 6, 7),
        "hand": (5, 8),
        "hip": (2, 9, 12),
        "leg-foot": _span(9, 14),
        "leg": (9, 10, 12, 13),
        "foot": (11, 14),
    },
)

_JHMDB_EDGES = (
    *((0, 1), (2, 0), (3, 0), (4, 0), (5, 1), (6, 1), (7, 3), (8, 4)),
    *((9, 5), (10, 6), (11, 7), (12, 8), (13, 9), (14, 10)),
)
_JHMDB = Skeleton(
    name="jhmdb-15",
    joint_names=(
        *("neck", "belly", "face", "right shoulder", "left shoulder"),
        *("right hip", "left hip", "right elbow", "left elbow"),
        *("right knee", "left knee", "right wrist", "left wrist"),
        *("right ankle", "left ankle"),
    ),
    edges=_JHMDB_EDGES,
    bones=(*_JHMDB_EDGES, (1, 1)),
    centre=1,
    parts={
        "upper": (*_span(0, 4), 7, 8, 11, 12),
        "lower": (5, 6, 9, 10, 13, 14),
        "head": (0, 2),
        "hand-arm": (3, 4, 7, 8, 11, 12),
        "arm": (3, 4, 7, 8),
        "hand": (11, 12),
        "hip": (1, 5, 6),
        "leg-foot": (5, 6, 9, 10, 13, 14),
        "leg": (5, 6, 9, 10),
        "foot": (13, 14),
    },
    num_coordinates=2,
)

_LAYOUTS: dict[str, Skeleton] = {
    skeleton.name: skeleton
    for skeleton in (_NTU, _NW_UCLA, _COCO, _OPENNI, _JHMDB, *ESTIMATOR_LAYOUTS)
}
