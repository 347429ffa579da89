"""Names of classes."""

from __future__ import annotations

from collections.abc import Sequence

from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.utils.files import find_description_file


def load_class_names(descriptions: str | None, num_classes: int) -> list[str]:
    """Returns the names of a description file, or of one that ships, as ``ntu120``.

    None names the classes by their index.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it breaks the schema, or has another number of classes.
    """
    if descriptions is None:
        return [str(index) for index in range(num_classes)]
    actions = load_descriptions(find_description_file(descriptions))
    names = [action.label for action in actions]
    if len(names) != num_classes:
        raise ValueError(
            f"{descriptions}: describes {len(names)} classes, but the scores are of "
            f"{num_classes}; give the description file of the data set tested on"
        )
    return names


def find_class(wanted: str, names: Sequence[str]) -> int | None:
    """Returns the class of a name or, where none has that name, of an index."""
    if wanted in names:
        return names.index(wanted)
    if wanted.isdecimal() and int(wanted) < len(names):
        return int(wanted)
    return None
