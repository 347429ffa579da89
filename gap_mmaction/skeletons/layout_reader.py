"""Reading a joint layout from a config's dict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from .skeleton import GLOBAL_PART, Edge, Skeleton

_KEYS = {
    *("name", "joints", "num_node", "num_coordinates", "inward", "bones", "center"),
    *("parts", "bone_parts", "spine", "shoulders"),
}


class LayoutReader:
    """Makes a checked :class:`Skeleton` of a dict with the keys of ``get_skeleton``.

    Raises:
        ValueError: If it has an unknown key, lacks one, or its joints are wrong.
    """

    def __init__(self, layout: Mapping[str, Any]) -> None:
        # MMEngine leaves this key in a dict within one that has it, too.
        layout = {key: v for key, v in layout.items() if key != "_delete_"}
        self.layout = layout
        self.name = str(layout.get("name", "custom"))
        unknown = sorted(set(layout) - _KEYS)
        if unknown:
            self._fail(f"unknown keys {unknown}, use {sorted(_KEYS)}")
        for key in ("inward", "center"):
            if key not in layout:
                self._fail(f"the key {key!r} is missing")
        self.joint_names = self._read_joint_names()

    def read(self) -> Skeleton:
        """Reads the layout."""
        centre = self._joint(self.layout["center"], "center")
        edges = self._pairs("inward")
        if "bones" in self.layout:
            bones = self._pairs("bones")
        else:
            self._check_parents(edges, centre)
            bones = (*edges, (centre, centre))
        return Skeleton(
            name=self.name,
            joint_names=self.joint_names,
            edges=edges,
            bones=bones,
            centre=centre,
            parts=self._groups("parts"),
            bone_parts=self._groups("bone_parts"),
            num_coordinates=self.layout.get("num_coordinates", 3),
            spine=self._joints(self.layout.get("spine", ()), "spine"),
            shoulders=self._joints(self.layout.get("shoulders", ()), "shoulders"),
        )

    def _check_parents(self, edges: Sequence[Edge], centre: int) -> None:
        """Checks that the graph's edges can be the bones too."""
        for joint, name in enumerate(self.joint_names):
            parents = sum(child == joint for child, _ in edges)
            if parents != (0 if joint == centre else 1):
                expected = "the center has none" if joint == centre else "not one"
                self._fail(
                    f"inward: {name!r} has {parents} parents, {expected}. Correct the "
                    "edges (child, parent), or, if they are no tree, give `bones` too"
                )

    def _read_joint_names(self) -> tuple[str, ...]:
        number = self.layout.get("num_node")
        if "num_node" in self.layout and not _is_number(number):
            self._fail(f"num_node is {number!r}, give a whole number")
        if "joints" not in self.layout:
            if number is None:
                self._fail("give `joints` (names) or `num_node` (a number)")
            return tuple(f"joint {index}" for index in range(number))
        names = tuple(str(name) for name in self._list(self.layout["joints"], "joints"))
        if len(set(names)) != len(names):
            self._fail(f"joints: a name stands twice: {names}")
        if number not in (None, len(names)):
            self._fail(f"num_node is {number}, but {len(names)} names in joints")
        return names

    def _joint(self, value: Any, key: str) -> int:
        if isinstance(value, str):
            if value not in self.joint_names:
                self._fail(
                    f"{key}: no joint is named {value!r}, there are "
                    f"{list(self.joint_names)}"
                )
            return self.joint_names.index(value)
        if not _is_number(value) or not 0 <= value < len(self.joint_names):
            self._fail(
                f"{key}: {value!r} is no joint; give a name, or a number from 0 to "
                f"{len(self.joint_names) - 1}"
            )
        return int(value)

    def _pairs(self, key: str) -> tuple[Edge, ...]:
        pairs = []
        for pair in self._list(self.layout[key], key):
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                self._fail(f"{key}: {pair!r} is no pair (joint, parent) of joints")
            pairs.append((self._joint(pair[0], key), self._joint(pair[1], key)))
        return tuple(pairs)

    def _groups(self, key: str) -> dict[str, tuple[int, ...]]:
        parts = self.layout.get(key, {})
        if not isinstance(parts, Mapping):
            self._fail(f"{key}: {parts!r} is no dict of {{part: [joint, ...]}}")
        if GLOBAL_PART in parts:
            self._fail(f"{key}: {GLOBAL_PART!r} is every joint, take another name")
        return {k: self._joints(v, f"{key}[{k!r}]") for k, v in parts.items()}

    def _joints(self, value: Any, key: str) -> tuple[int, ...]:
        return tuple(self._joint(joint, key) for joint in self._list(value, key))

    def _list(self, value: Any, key: str) -> Sequence[Any]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            self._fail(f"{key}: expected a list, got {value!r}")
        return value

    def _fail(self, problem: str) -> NoReturn:
        raise ValueError(f"skeleton layout {self.name!r}: {problem}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
