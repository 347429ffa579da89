"""Description files: the schema, read with the line of every value, and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, NoReturn, Union

import yaml

from gap_mmaction.utils.brief import brief
from gap_mmaction.utils.files import write_file

SCHEMA = "gap-descriptions/1"

PARTS = ("head", "hand", "arm", "hip", "leg", "foot")
"""Fields with a sentence on one part of the body, in the paper's order (Fig. 5)."""

Fields = Mapping[str, Union[str, Sequence[str]]]

# The same in C, where PyYAML was built with it: a tenth of the time.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TOP_KEYS = frozenset(("schema", "dataset", "classes", "base", "first", "include"))
_PLAIN = ("str", "null", "bool", "int", "float", "timestamp", "seq", "map", "merge")
_TAGS = frozenset((None, "!", *(f"tag:yaml.org,2002:{name}" for name in _PLAIN)))
_MOST_DIGITS = 9
_LONGEST_CHAIN = 16
_DEEPEST = 20
# Aliases let a short file stand for a very long one. A text counts its characters and
# what it takes besides; the largest file that ships counts half a million.
_COST_OF_TEXT = 100
_LARGEST_AMOUNT = 10**8


class DescriptionError(ValueError):
    """A description file that cannot be used; the message names file and line."""


@dataclass(frozen=True)
class ActionDescription:
    """The texts of every field of a class, its label's own included, and their place.

    ``where`` is file and line, for messages.
    """

    label: str
    fields: dict[str, tuple[str, ...]]
    where: str


_Known = dict[Path, list[ActionDescription]]


def load_descriptions(
    path: str | Path, *, include: bool = True
) -> list[ActionDescription]:
    """Returns the classes of a description file, in the order of their indices.

    docs/descriptions.md describes the format; a file that breaks it is a
    DescriptionError. Without ``include``, the files that it includes are not read.
    """
    return _Reader(Path(path), (), include, {}).read()


def write_descriptions(
    path: str | PathLike[str], dataset: str, classes: Iterable[Fields], header: str = ""
) -> None:
    """Writes a file that :func:`load_descriptions` reads, ``header`` as a comment.

    ``classes`` are the fields of each class, ``label`` among them, in order.
    """
    plain = [
        {name: v if isinstance(v, str) else list(v) for name, v in fields.items()}
        for fields in classes
    ]
    content = {"schema": SCHEMA, "dataset": dataset, "classes": plain}
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=88)
    write_file(path, comment + body)


def _items(node: yaml.Node) -> list[yaml.Node]:
    return node.value if isinstance(node, yaml.SequenceNode) else [node]


class _Reader:
    """Walks a file's YAML nodes; ``dependents`` are the files that led to this one."""

    def __init__(
        self, path: Path, dependents: tuple[Path, ...], include: bool, known: _Known
    ) -> None:
        self.path = path
        self.chain = (*dependents, path.resolve())
        self.include = include
        self.known = known
        self.amount = 0

    def read(self) -> list[ActionDescription]:
        place = self.chain[-1]
        if place not in self.known:
            self.known[place] = self._read()
        return self.known[place]

    def _read(self) -> list[ActionDescription]:
        root = self._compose()
        top = dict(self._pairs(root))
        for node, _ in root.value:
            if node.value not in _TOP_KEYS:
                known = sorted(_TOP_KEYS)
                self._fail(node, f"unknown key {brief(node.value)}, use {known}")
        if "schema" not in top or self._string(top["schema"], "schema") != SCHEMA:
            self._fail(top.get("schema", root), f"`schema` must be {SCHEMA!r}")
        if ("base" in top) == ("classes" in top):
            self._fail(root, "give either `classes` or `base`")
        if "base" in top:
            classes = self._read_base(top)
        elif "first" in top:
            self._fail(top["first"], "`first` goes with `base`")
        else:
            classes = self._read_classes(top["classes"])
        if self.include and "include" in top:
            node = top["include"]
            for one in _items(node):
                classes = self._include(one, classes)
        return classes

    def _compose(self) -> yaml.MappingNode:
        try:
            text = self.path.read_text(encoding="utf-8")
            self._check_events(text)
            root = yaml.compose(text, Loader=_LOADER)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"there is no description file {str(self.path)!r}; write one after "
                "docs/descriptions.md, or correct the name (in a config, "
                "model.text_branch.prompts.descriptions)"
            ) from None
        except UnicodeDecodeError as error:
            raise DescriptionError(f"{self.path} is no UTF-8 text: {error}") from error
        except DescriptionError:
            raise
        except (yaml.YAMLError, ValueError) as error:
            raise DescriptionError(f"{self.path} is no valid YAML: {error}") from error
        if not isinstance(root, yaml.MappingNode):
            raise DescriptionError(
                f"{self.path}: expected a mapping with the keys {sorted(_TOP_KEYS)}"
            )
        return root

    def _check_events(self, text: str) -> None:
        """Refuses `!!python/...` and other tags, and brackets without end.

        The composer in C calls itself for each bracket, without a limit.
        """
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                self._fail(event, f"lists and mappings nested deeper than {_DEEPEST}")
            tag = getattr(event, "tag", None)
            if tag not in _TAGS:
                self._fail(event, f"the tag {brief(tag)}, which is not read")

    def _read_base(self, top: dict[str, yaml.Node]) -> list[ActionDescription]:
        base = self._read_other(top["base"], "base")
        if "first" not in top:
            return base
        value = self._string(top["first"], "first")
        # Digits of other scripts, and more of them than Python reads.
        is_number = value.isascii() and value.isdigit() and len(value) <= _MOST_DIGITS
        if not is_number or not 1 <= int(value) <= len(base):
            problem = f"`first` is {brief(value)}, the base has {len(base)} classes"
            self._fail(top["first"], problem)
        return base[: int(value)]

    def _read_other(self, node: yaml.Node, key: str) -> list[ActionDescription]:
        name = self._string(node, key)
        path = self.path.parent / name
        try:
            is_there = path.is_file()
        except OSError:  # a name that is too long
            is_there = False
        if not is_there:
            self._fail(node, f"there is no file {brief(str(path))}, the `{key}`")
        if path.resolve() in self.chain:
            self._fail(node, f"{name!r} is based on this file itself")
        if len(self.chain) > _LONGEST_CHAIN:
            self._fail(node, f"a chain of more than {_LONGEST_CHAIN} files")
        return _Reader(path, self.chain, self.include, self.known).read()

    def _include(
        self, node: yaml.Node, classes: list[ActionDescription]
    ) -> list[ActionDescription]:
        """Adds the fields of another file to the classes of the same labels."""
        added = {action.label: action for action in self._read_other(node, "include")}
        whole = []
        for action in classes:
            more = added.pop(action.label, action)
            twice = sorted(set(more.fields) & set(action.fields) - {"label"})
            if twice and more is not action:
                problem = f"has the field {twice[0]!r} at {action.where} already"
                self._fail(node, f"{more.where}: class {action.label!r} {problem}")
            whole.append(replace(action, fields={**action.fields, **more.fields}))
        for one in added.values():
            self._fail(node, f"{one.where}: there is no class {one.label!r} to add to")
        return whole

    def _read_classes(self, node: yaml.Node) -> list[ActionDescription]:
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._fail(node, "`classes` must be a list with at least one class")
        seen: dict[str, ActionDescription] = {}
        for index, item in enumerate(node.value):
            action = self._read_class(index, item)
            twin = seen.setdefault(action.label, action)
            if twin is not action:
                problem = f"the label {action.label!r} stands at {twin.where} already"
                self._fail(item, f"class {index}: {problem}")
        return list(seen.values())

    def _read_class(self, index: int, node: yaml.Node) -> ActionDescription:
        if not isinstance(node, yaml.MappingNode):
            self._fail(node, f"class {index} must be a mapping with a `label`")
        fields = {}
        for key, value in self._pairs(node):
            fields[key] = tuple(self._texts(value, f"class {index}, field {key!r}"))
        if len(fields.get("label", ())) != 1:
            self._fail(node, f"class {index} needs one `label`")
        return ActionDescription(fields["label"][0], fields, self._where(node))

    def _texts(self, node: yaml.Node, what: str) -> Iterator[str]:
        if not _items(node):
            self._fail(node, f"{what} is an empty list")
        for item in _items(node):
            yield self._string(item, what)

    def _string(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag.endswith(":null"):
            self._fail(node, f"{what} must be a text or a list of texts")
        self.amount += len(node.value) + _COST_OF_TEXT
        if self.amount > _LARGEST_AMOUNT:
            self._fail(node, "the texts repeat each other (*alias) without end")
        value = " ".join(str(node.value).split())
        if not value:
            self._fail(node, f"{what} is empty")
        return value

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
        seen = set()
        for key_node, value in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fail(key_node, "a list or a mapping where a key should be")
            key = str(key_node.value)
            if key in seen:
                self._fail(key_node, f"the key {brief(key)} stands twice")
            seen.add(key)
            yield key, value

    def _where(self, node: Any) -> str:
        return f"{self.path}, line {node.start_mark.line + 1}"

    def _fail(self, node: Any, problem: str) -> NoReturn:
        raise DescriptionError(
            f"{self._where(node)}: {problem} (schema: docs/descriptions.md)"
        )
