"""Names of classes from description files."""

from __future__ import annotations

import pytest

from gap_mmaction.evaluation.class_names import find_class, load_class_names


def test_names() -> None:
    assert load_class_names(None, 3) == ["0", "1", "2"]
    by_name = load_class_names("nwucla", 10)
    assert by_name[5] == "stand up"
    assert load_class_names("data/descriptions/nwucla.yaml", 10) == by_name


def test_another_number_of_classes() -> None:
    with pytest.raises(ValueError, match=r"nwucla: describes 10 classes.*60"):
        load_class_names("nwucla", 60)


def test_no_file() -> None:
    with pytest.raises(FileNotFoundError, match="none"):
        load_class_names("none.yaml", 3)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("sit", 0), ("1", 2), ("0", 0), ("2", 2), ("3", None), ("-1", None), ("²", None)],
)
def test_find_class(wanted: str, index: int | None) -> None:
    # A name comes first, even one that looks like an index.
    assert find_class(wanted, ["sit", "stand", "1"]) == index
