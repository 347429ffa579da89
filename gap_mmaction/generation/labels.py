"""Read the labels that descriptions are generated for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gap_mmaction.models.text.descriptions import load_descriptions
from gap_mmaction.utils.paths import find_description_file


def read_labels(path: Path) -> list[str]:
    """Read labels.

    Args:
        path: A description file (``.yaml`` or ``.yml``), the name of one that ships,
            or a text file with one label a line, in the order of the class indices;
            empty lines and lines that start with ``#`` are passed over.

    Returns:
        The labels in order.

    Raises:
        FileNotFoundError: If the file is not there.
        ValueError: If it is no such file, holds no label, or one twice.
    """
    if not path.exists():
        path = find_description_file(path)
    if path.suffix.lower() in (".yaml", ".yml"):
        # What it includes adds fields, no labels, and may be yet to be written.
        return [action.label for action in load_descriptions(path, include=False)]
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no file of labels {str(path)!r}: give a text file with one "
            "label a line, or a description file (.yaml)"
        ) from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no UTF-8 text: {error}") from error
    check_one_a_line(lines, str(path))
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        label = " ".join(line.split())
        if not label or label.startswith("#"):
            continue
        if label in seen:
            raise ValueError(
                f"{path}, line {number}: the label {label!r} stands at line "
                f"{seen[label]} already; every class needs a label of its own"
            )
        seen[label] = number
    if not seen:
        raise ValueError(f"{path} holds no label; write one a line")
    return list(seen)


def check_one_a_line(lines: Sequence[str], where: str) -> None:
    """Check that lines are labels, and not labels with other texts after them.

    Raises:
        ValueError: If there is a separator in every one of several lines.
    """
    filled = [line for line in lines if line.strip()]
    # A label may well have one comma.
    for separator, least in ((";", 1), (",", 2), ("\t", 1)):
        if len(filled) > 1 and all(
            line.strip().count(separator) >= least for line in filled
        ):
            raise ValueError(
                f"{where}: every line is separated by {separator!r}, a list of labels "
                "has one name a line and nothing else; take the rest away, or give "
                "the labels in a description file (.yaml)"
            )
