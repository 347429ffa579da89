"""Skeleton: what the plugin knows of a joint layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Edge = tuple[int, int]

STREAMS = ("joint", "bone", "joint-motion", "bone-motion")
"""The four input streams of the paper (section 4.4), see ``to_stream``."""

NUM_COORDINATES = (2, 3)
"""What a joint may have: a place in the picture or in space."""

GLOBAL_PART = "global"
"""The part that is every joint of a layout; each layout has it."""


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
        hierarchy_root: The joint at the root of :attr:`hierarchy`, if it is not the
            centre.
        hierarchy_powers: The powers k of the hierarchy's matrix in GAP's public code,
            of its joint streams and of its bone streams; 0 is the identity.
        hierarchy_reverse: Whether its edges point away from the root there.
        num_coordinates: Coordinates of a joint, 2 or 3. What the data have beyond them
            is no position: the confidence of a pose estimator.
        spine: Joints at the bottom and the top of the spine, by which a body is turned
            upright; empty where there are none.
        shoulders: The right and the left shoulder, by which it is turned to the front;
            empty where there are none.
    """

    name: str
    joint_names: tuple[str, ...]
    edges: tuple[Edge, ...]
    bones: tuple[Edge, ...]
    centre: int
    parts: Mapping[str, tuple[int, ...]]
    bone_parts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    author_edges: tuple[Edge, ...] = ()
    hierarchy_root: int | None = None
    hierarchy_powers: tuple[int, int] = (0, 1)
    hierarchy_reverse: bool = False
    num_coordinates: int = 3
    spine: tuple[int, ...] = ()
    shoulders: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Checks the table; a ``ValueError`` says which entry is wrong."""
        where = f"skeleton layout {self.name!r}"
        for key in ("edges", "bones", "author_edges"):
            for edge in getattr(self, key):
                self._check_joints(edge, f"{where}, {key} {tuple(edge)}")
        self._check_joints((self.centre,), f"{where}, center")
        if self.hierarchy_root is not None:
            self._check_joints((self.hierarchy_root,), f"{where}, hierarchy_root")
        for key in ("spine", "shoulders"):
            pair = getattr(self, key)
            if len(set(pair)) not in (0, 2) or len(pair) > 2:
                raise ValueError(f"{where}, {key} is {pair}, give two joints")
            self._check_joints(pair, f"{where}, {key}")
        if self.num_coordinates not in NUM_COORDINATES:
            raise ValueError(
                f"{where}, num_coordinates is {self.num_coordinates!r}, must be 2 or 3"
            )
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

    @property
    def hierarchy(self) -> tuple[Edge, ...]:
        """The bones as ``(joint, parent)`` of a tree rooted in ``hierarchy_root``.

        The same pairs as ``bones``, turned round on the way from one root to the
        other; one for every joint but the root.
        """
        parents = dict(self.bones)
        path = [self.centre if self.hierarchy_root is None else self.hierarchy_root]
        while path[-1] != self.centre:
            path.append(parents[path[-1]])
        parents.update(zip(path[1:], path))
        return tuple(pair for pair in sorted(parents.items()) if pair[0] != path[0])

    def part(self, name: str, stream: str = "joint") -> tuple[int, ...]:
        """Returns the indices of a part's joints, all of them for ``'global'``.

        Bone streams may group the joints in another way.

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
        """Builds the three-subset adjacency matrix of ST-GCN's spatial strategy.

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
                    f"{where}: joint {joint} is out of range, they count from 0 to "
                    f"{self.num_joints - 1}"
                )

    def _name(self, joint: int) -> str:
        return f"joint {joint} ({self.joint_names[joint]!r})"

    def _check_bones(self, where: str) -> None:
        parents = dict(self.bones)
        counts = [[j for j, _ in self.bones].count(i) for i in range(self.num_joints)]
        wrong = [f"{self._name(i)} has {n}" for i, n in enumerate(counts) if n != 1]
        if wrong:
            raise ValueError(
                f"{where}, bones: every joint needs one (joint, parent) pair, the "
                f"center with itself, but {', '.join(wrong)}"
            )
        for start in parents:
            joint, steps = start, 0
            while joint != self.centre and steps <= self.num_joints:
                joint, steps = parents[joint], steps + 1
            if joint != self.centre:
                raise ValueError(
                    f"{where}, bones: no path leads from {self._name(start)} to the "
                    f"center {self._name(self.centre)}; the bones must form a tree "
                    "rooted there"
                )
        if parents[self.centre] != self.centre:
            raise ValueError(
                f"{where}, bones: the center {self.centre} must be its own parent"
            )


def check_stream(stream: str) -> None:
    """Raises a ``ValueError`` if a stream's name is none of :data:`STREAMS`."""
    if stream not in STREAMS:
        raise ValueError(f"stream {stream!r} is unknown, use one of {list(STREAMS)}")


def _normalize_columns(
    adjacency: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    degree = adjacency.sum(axis=0)
    scale = np.divide(1.0, degree, out=np.zeros_like(degree), where=degree > 0)
    return adjacency * scale
