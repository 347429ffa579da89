"""What a person should look at in generated descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gap_mmaction.models.text.descriptions import PARTS

from .parsing import Fields

# docs/descriptions.md: 50 words are safe for CLIP's 77 tokens, and a text of the
# default setting joins the label with two part sentences.
_MOST_WORDS = {"paragraph": 50, **dict.fromkeys(PARTS, 20)}


def review(classes: Iterable[Fields]) -> list[str]:
    """Look for texts that will be cut off and texts that do not tell classes apart.

    Args:
        classes: Label and fields of each class.

    Returns:
        A remark on each.
    """
    remarks = []
    owners: dict[tuple[str, str], str] = {}
    for fields in classes:
        label = str(fields["label"])
        for name, text in _texts(fields):
            words = len(text.split())
            if words > _MOST_WORDS.get(name, words):
                remarks.append(
                    f"{label}: {name}: {words} words, CLIP may cut off what exceeds "
                    f"{_MOST_WORDS[name]}"
                )
            owner = owners.setdefault((name, text.casefold()), label)
            if owner != label:
                remarks.append(f"{label}: {name}: {text!r} serves {owner!r}, too")
    return remarks


def _texts(fields: Fields) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        for text in [value] if isinstance(value, str) else value:
            yield name, text
