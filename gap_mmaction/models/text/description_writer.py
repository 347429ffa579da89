"""Write description files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Union

import yaml

from gap_mmaction.utils.atomic_file import atomic_file

from .descriptions import SCHEMA

Fields = Mapping[str, Union[str, Sequence[str]]]


def write_descriptions(
    path: str | PathLike[str],
    dataset: str,
    classes: Iterable[Fields],
    header: str = "",
) -> None:
    """Write a description file that :func:`load_descriptions` reads.

    Args:
        path: The file; one that is there is replaced once the new one is complete.
        dataset: The data set's name, for people.
        classes: For each class, in the order of the labels, ``label`` and the other
            fields; of a field that is a list one text is drawn in training.
        header: What stands above as a comment: who or what wrote the texts, and how.
    """
    content = {
        "schema": SCHEMA,
        "dataset": dataset,
        "classes": [
            {
                name: value if isinstance(value, str) else list(value)
                for name, value in fields.items()
            }
            for fields in classes
        ],
    }
    comment = "".join(f"# {line}".rstrip() + "\n" for line in header.splitlines())
    body = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=88)
    with atomic_file(path) as stream:
        stream.write((comment + body).encode())
