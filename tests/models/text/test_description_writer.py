"""Description files that are written can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.models.text.descriptions import (
    Fields,
    load_descriptions,
    write_descriptions,
)

CLASSES: list[Fields] = [
    {"label": "sit down", "synonyms": ["take a seat", "be seated: now"]},
    {"label": "null", "head": "yes", "hand": "später - # 坐下 " + 40 * "long " + "end"},
    {"label": "12", "head": "'quoted' \"twice\""},
]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mine.yaml"
    write_descriptions(path, "Mine", CLASSES, "How they were made:\n\nby hand.")
    read = load_descriptions(path)
    assert [action.fields for action in read] == [
        {
            name: (value,) if isinstance(value, str) else tuple(value)
            for name, value in fields.items()
        }
        for fields in CLASSES
    ]
    lines = path.read_text("utf-8").splitlines()
    assert lines[:4] == [
        "# How they were made:", "#", "# by hand.", "schema: gap-descriptions/1"
    ]  # fmt: skip


def test_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    write_descriptions(path, "Mine", CLASSES)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_descriptions(path, "Mine", [{"label": 5}])  # type: ignore[dict-item]
    assert path.read_bytes() == before
