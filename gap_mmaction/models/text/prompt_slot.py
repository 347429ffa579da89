"""A slot of the prompt bank: a part of the body and the texts that describe it."""

from __future__ import annotations

import itertools
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Union

from gap_mmaction.utils.config_keys import did_you_mean

from .descriptions import ActionDescription
from .presets import PRESETS

TextItem = Union[str, Sequence[str]]

_USUAL = {
    item
    for slots in PRESETS.values()
    for slot in slots
    for item in slot["text"]
    if isinstance(item, str) and "{" not in item
}
_KEYS = frozenset(("name", "joints", "text"))


class MissingFieldError(ValueError):
    """A class of a description file lacks a field that a slot needs."""


@dataclass(frozen=True)
class PromptSlot:
    """A part of the body and where its text comes from.

    Attributes:
        name: The slot's name, as it appears in the log.
        joints: The joint group of the layout that is pooled for it.
        text: Items that are joined by ``', '``. An item is a field of the description
            file, a template such as ``'Human action of "{label}"'``, or a list of
            either, one of which is drawn.
    """

    name: str
    joints: str
    text: tuple[TextItem, ...]

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PromptSlot:
        """Read a slot from a config's dict.

        Raises:
            ValueError: If a key is missing or unknown, or there is no text.
        """
        if set(config) != _KEYS:
            raise ValueError(
                f"prompt slot {dict(config)!r} must have just the keys {sorted(_KEYS)}"
            )
        text = config["text"]
        items = [text] if isinstance(text, str) else text
        _check_items(items, f"prompt slot {config['name']!r}")
        return cls(str(config["name"]), str(config["joints"]), tuple(items))

    def variants(self, action: ActionDescription) -> list[str]:
        """List every text that the slot can give for a class, without repetition.

        Args:
            action: The class's description.

        Raises:
            MissingFieldError: If the class lacks a field that the slot needs.
        """
        choices = [self._item_variants(item, action) for item in self.text]
        texts = (", ".join(parts) for parts in itertools.product(*choices))
        return list(dict.fromkeys(texts))

    def _item_variants(self, item: TextItem, action: ActionDescription) -> list[str]:
        if not isinstance(item, str):
            return [text for one in item for text in self._item_variants(one, action)]
        if "{" not in item:
            return list(self._field(item, action))
        names = _names_in(item)
        values = [self._field(name, action) for name in names]
        return [
            item.format(**dict(zip(names, combination)))
            for combination in itertools.product(*values)
        ]

    def _field(self, name: str, action: ActionDescription) -> tuple[str, ...]:
        if name not in action.fields:
            remedy = (
                "Add the field to the class, or take another preset or other slots (in "
                "a config, model.text_branch.prompts)"
            )
            if " " in name:
                remedy = (
                    "Words of one's own need a field in braces beside them, such as "
                    f"'{name} {{label}}'"
                )
            if name in _USUAL:  # then a word of the file's own is the misspelt one
                hint = did_you_mean(name, sorted(set(action.fields) - _USUAL))
                hint = hint.replace("mean ", f"mean {name!r} for ")
            else:
                hint = did_you_mean(name, action.fields)
            raise MissingFieldError(
                f"{action.where}: class {action.label!r} has no field {name!r}, which "
                f"prompt slot {self.name!r} needs; it has {sorted(action.fields)}"
                f"{hint}. {remedy}"
            )
        return action.fields[name]


def _check_items(items: Any, where: str) -> None:
    if not isinstance(items, (list, tuple)) or not items:
        raise ValueError(
            f"{where}: `text` is {items!r}; give the name of a field, a template or a "
            "list of them, which is not empty"
        )
    for item in items:
        if not isinstance(item, str):
            _check_items(item, where)
        elif "{" in item:
            try:
                item.format(**dict.fromkeys(_names_in(item), ""))
            except (LookupError, ValueError, AttributeError) as error:
                raise ValueError(
                    f"{where}: the template {item!r} cannot be filled in ({error!r}); "
                    "write the name of a field in braces, as in '{label}'"
                ) from error


def _names_in(template: str) -> list[str]:
    """List the fields of a template."""
    return [name for _, name, _, _ in string.Formatter().parse(template) if name]
