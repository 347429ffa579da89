"""One table per joint layout: names, edges, bones, centre and part groups.

This is the only module with joint numbers in it. A data set of one's own either
uses one of the layouts below by name or gives a ``dict`` in the config, see
:func:`get_skeleton`. All indices are 0-based.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Union

import numpy as np
import numpy.typing as npt

Edge = tuple[int, int]
Layout = Union[str, Mapping[str, Any]]

STREAMS = ("joint", "bone", "joint-motion", "bone-motion")
"""The four input streams of the paper (section 4.4), see ``to_stream``."""

GLOBAL_PART = "global"
"""The part that is every joint of a layout; each layout has it."""

_LAYOUT_KEYS = frozenset(
    ("name", "joints", "num_node", "inward", "bones", "center", "parts", "bone_parts")
)


@dataclass(frozen=True)
class Skeleton:
    """What the plugin knows of a joint layout.

    Attributes:
        name: The layout's name in configs.
        joint_names: One name per joint; its length is the number of joints V.
        edges: ``(child, parent)`` pairs of the graph, as mmaction2's ``Graph`` has
            them in ``inward``.
        bones: ``(joint, parent)`` pairs, one per joint; the centre is its own parent,
            so that its bone is zero.
        centre: The joint at the root of ``bones``.
        parts: Joint groups by name for joint streams.
        bone_parts: Joint groups that differ on bone streams, where a joint's number
            stands for the bone that ends in it.
        author_edges: ``(child, parent)`` pairs of the authors' graph where it
            differs from mmaction2's; empty where it does not.
    """

    name: str
    joint_names: tuple[str, ...]
    edges: tuple[Edge, ...]
    bones: tuple[Edge, ...]
    centre: int
    parts: Mapping[str, tuple[int, ...]]
    bone_parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    author_edges: tuple[Edge, ...] = ()

    def __post_init__(self) -> None:
        """Check the table.

        Raises:
            ValueError: If a joint is out of range, ``bones`` are no tree over all the
                joints, a part is empty or a joint stands in a part twice.
        """
        where = f"skeleton layout {self.name!r}"
        for key in ("edges", "bones", "author_edges"):
            for edge in getattr(self, key):
                self._check_joints(edge, f"{where}, {key} {tuple(edge)}")
        self._check_joints((self.centre,), f"{where}, center")
        self._check_bones(where)
        for key in ("parts", "bone_parts"):
            for part, joints in getattr(self, key).items():
                spot = f"{where}, {key}[{part!r}]"
                if not joints:
                    raise ValueError(f"{spot} is empty: name at least one joint")
                if len(set(joints)) != len(joints):
                    raise ValueError(f"{spot} names a joint twice: {list(joints)}")
                self._check_joints(joints, spot)

    @property
    def num_joints(self) -> int:
        """The number of joints V."""
        return len(self.joint_names)

    def part(self, name: str, stream: str = "joint") -> tuple[int, ...]:
        """Give the joints of a part.

        Args:
            name: The part's name, or ``'global'`` for every joint.
            stream: One of :data:`STREAMS`; bone streams may group the joints in
                another way.

        Returns:
            The joints' indices.

        Raises:
            ValueError: If the layout has no such part, or there is no such stream.
        """
        check_stream(stream)
        if name == GLOBAL_PART:
            return tuple(range(self.num_joints))
        if stream.startswith("bone") and name in self.bone_parts:
            return self.bone_parts[name]
        if name not in self.parts:
            raise ValueError(
                f"skeleton layout {self.name!r} has no part {name!r}; it has "
                f"{[GLOBAL_PART, *self.parts]}. Name one of these in the slot's "
                "`joints`, or add the part to the layout's `parts`"
            )
        return self.parts[name]

    def adjacency(self, authors: bool = False) -> npt.NDArray[np.float32]:
        """Build the three-subset adjacency matrix of ST-GCN's spatial strategy.

        Args:
            authors: Whether to take the edges of CTR-GCN's authors instead of
                mmaction2's. They differ on ``nturgb+d`` only (the hand tips).

        Returns:
            ``[3, V, V]``: identity, column-normalised inward and column-normalised
            outward edges. An inward edge ``(i, j)`` stands at ``[j, i]``, as in
            mmaction2's ``Graph`` with ``mode='spatial'``.
        """
        edges = self.author_edges if authors and self.author_edges else self.edges
        inward = np.zeros((self.num_joints, self.num_joints))
        for child, parent in edges:
            inward[parent, child] = 1
        subsets = (
            np.eye(self.num_joints),
            _normalize_columns(inward),
            _normalize_columns(inward.T),
        )
        return np.stack(subsets).astype(np.float32)

    def _check_joints(self, joints: Iterable[int], where: str) -> None:
        for joint in joints:
            if not 0 <= joint < self.num_joints:
                raise ValueError(
                    f"{where}: joint {joint} is out of range, there are "
                    f"{self.num_joints} joints, counted from 0 to "
                    f"{self.num_joints - 1}"
                )

    def _check_bones(self, where: str) -> None:
        parents = dict(self.bones)
        if len(parents) != len(self.bones) or len(parents) != self.num_joints:
            raise ValueError(
                f"{where}, bones: {self.num_joints} joints need one (joint, parent) "
                f"pair each, got {len(self.bones)} pairs for {len(parents)} joints"
            )
        for start in parents:
            joint, steps = start, 0
            while joint != self.centre and steps <= self.num_joints:
                joint, steps = parents[joint], steps + 1
            if joint != self.centre:
                raise ValueError(
                    f"{where}, bones: no path leads from joint {start} to the center "
                    f"{self.centre}; the bones must form a tree rooted there"
                )
        if parents[self.centre] != self.centre:
            raise ValueError(
                f"{where}, bones: the center {self.centre} must be its own parent"
            )


def check_stream(stream: str) -> None:
    """Check a stream's name.

    Raises:
        ValueError: If it is none of :data:`STREAMS`.
    """
    if stream not in STREAMS:
        raise ValueError(f"stream {stream!r} is unknown, use one of {list(STREAMS)}")


def get_skeleton(layout: Layout) -> Skeleton:
    """Look a layout up by its name, or read it from a ``dict``.

    A ``dict`` has the keys of mmaction2's ``Graph`` (``num_node``, ``inward``,
    ``center``), so that it serves stock backbones too, and more:

    * ``inward``: ``(child, parent)`` pairs, 0-based, at least one per joint but the
      center;
    * ``center``: the joint that the bones are rooted in;
    * ``joints``: the joints' names, or ``num_node``, their number;
    * ``parts``: ``{part: [joint, ...]}``, joints by number or by name;
    * optional: ``name``; ``bones``, ``(joint, parent)`` pairs, taken from ``inward``
      if they are not given; ``bone_parts``, parts that differ on bone streams.

    Args:
        layout: A name among :func:`layouts`, or such a ``dict``.

    Returns:
        The checked skeleton.

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
        return _skeleton_from_dict(layout)
    raise TypeError(
        f"a skeleton layout is a name or a dict, got {type(layout).__name__}: "
        f"{layout!r}"
    )


def layouts() -> list[str]:
    """List the names of the layouts that are built in."""
    return list(_LAYOUTS)


def _normalize_columns(
    adjacency: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    degree = adjacency.sum(axis=0)
    scale = np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)
    return adjacency * scale


def _skeleton_from_dict(layout: Mapping[str, Any]) -> Skeleton:
    name = str(layout.get("name", "custom"))
    where = f"skeleton layout {name!r}"
    unknown = sorted(set(layout) - _LAYOUT_KEYS)
    if unknown:
        raise ValueError(f"{where}: unknown keys {unknown}, use {sorted(_LAYOUT_KEYS)}")
    for key in ("inward", "center"):
        if key not in layout:
            raise ValueError(f"{where}: the key {key!r} is missing")
    if "joints" in layout:
        joint_names = tuple(
            str(joint) for joint in _list(layout["joints"], f"{where}, joints")
        )
        if len(set(joint_names)) != len(joint_names):
            raise ValueError(f"{where}, joints: a name stands twice: {joint_names}")
    elif "num_node" in layout:
        if not _is_number(layout["num_node"]):
            raise ValueError(
                f"{where}: num_node is {layout['num_node']!r}, give a whole number"
            )
        joint_names = tuple(f"joint {index}" for index in range(layout["num_node"]))
    else:
        raise ValueError(f"{where}: give `joints` (names) or `num_node` (a number)")
    if layout.get("num_node", len(joint_names)) != len(joint_names):
        raise ValueError(
            f"{where}: num_node is {layout['num_node']}, but there are "
            f"{len(joint_names)} names in joints"
        )

    def joint_of(value: Any, key: str) -> int:
        if isinstance(value, str):
            if value not in joint_names:
                raise ValueError(
                    f"{where}, {key}: no joint is named {value!r}, there are "
                    f"{list(joint_names)}"
                )
            return joint_names.index(value)
        if not _is_number(value) or not 0 <= value < len(joint_names):
            raise ValueError(
                f"{where}, {key}: {value!r} is no joint; give a name, or a number "
                f"from 0 to {len(joint_names) - 1}"
            )
        return int(value)

    def pairs(key: str) -> tuple[Edge, ...]:
        result = []
        for pair in _list(layout[key], f"{where}, {key}"):
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise ValueError(
                    f"{where}, {key}: {pair!r} is no pair (joint, parent) of joints"
                )
            result.append((joint_of(pair[0], key), joint_of(pair[1], key)))
        return tuple(result)

    def groups(key: str) -> dict[str, tuple[int, ...]]:
        parts = layout.get(key, {})
        if not isinstance(parts, Mapping):
            raise ValueError(
                f"{where}, {key}: {parts!r} is no dict of {{part: [joint, ...]}}"
            )
        if GLOBAL_PART in parts:
            raise ValueError(
                f"{where}, {key}: {GLOBAL_PART!r} always is every joint, take another "
                "name for the part"
            )
        return {
            part: tuple(
                joint_of(joint, f"{key}[{part!r}]")
                for joint in _list(joints, f"{where}, {key}[{part!r}]")
            )
            for part, joints in parts.items()
        }

    centre = joint_of(layout["center"], "center")
    edges = pairs("inward")
    bones = pairs("bones") if "bones" in layout else (*edges, (centre, centre))
    return Skeleton(
        name=name,
        joint_names=joint_names,
        edges=edges,
        bones=bones,
        centre=centre,
        parts=groups("parts"),
        bone_parts=groups("bone_parts"),
    )


def _list(value: Any, where: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(f"{where}: expected a list, got {value!r}")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _span(first: int, last: int) -> tuple[int, ...]:
    return tuple(range(first, last + 1))


def _from_one(*pairs: Edge) -> tuple[Edge, ...]:
    """Count joints from 0 in pairs that count from 1, as the data sets' papers do."""
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


def _sequence_sorted(edges: Sequence[Edge]) -> tuple[Edge, ...]:
    return tuple(sorted(edges))


# Trunk 0-3, arms 4-11, legs 12-19 as in Kinect v1; then the spine between the
# shoulders, to which the second Kinect hangs neck and arms, and the hand tips.
_NTU_TRUNK = _from_one((1, 2), (2, 21), (3, 21), (4, 3), (5, 21), (9, 21))
_NTU_BODY = (*_NTU_TRUNK, *_LIMB_EDGES)
_NTU_AUTHOR_EDGES = _sequence_sorted(
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
    edges=_sequence_sorted(
        (*_NTU_BODY, *_from_one((22, 8), (23, 8), (24, 12), (25, 12)))
    ),
    author_edges=_NTU_AUTHOR_EDGES,
    bones=(*_NTU_AUTHOR_EDGES, (20, 20)),
    centre=20,
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

_UCLA_EDGES = _sequence_sorted(
    (*_from_one((1, 2), (2, 3), (4, 3), (5, 3), (9, 3)), *_LIMB_EDGES)
)
_NW_UCLA = Skeleton(
    name="nw-ucla",
    joint_names=("hip centre", "spine", "shoulder centre", "head", *_LIMBS),
    edges=_UCLA_EDGES,
    bones=(*_UCLA_EDGES, (2, 2)),
    centre=2,
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
)

_LAYOUTS: dict[str, Skeleton] = {
    skeleton.name: skeleton for skeleton in (_NTU, _NW_UCLA, _COCO)
}
