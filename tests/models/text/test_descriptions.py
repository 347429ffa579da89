"""Description files: what is read and written, and errors with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.models.text.descriptions import (
    DescriptionError,
    Fields,
    load_descriptions,
    write_descriptions,
)
from tests.models.text_common import raises

SCHEMA = "schema: gap-descriptions/1\n"
GOOD = """\
schema: gap-descriptions/1
dataset: mine
classes:
  - label: sit down
    synonyms:
      - take a seat
      - be seated
    head: >-
      head moves
      down
  - label: 5
    synonyms: [stand up]
"""
BASED = f"{SCHEMA}base: large.yaml\n"
INCLUDING = GOOD.replace("dataset: mine\n", "dataset: mine\ninclude: more.yaml\n")
MORE = f"{SCHEMA}classes:\n  - label: 5\n    manual: legs straighten\n"


def _write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def _labels(path: Path) -> list[str]:
    return [action.label for action in load_descriptions(path)]


def test_fields(tmp_path: Path) -> None:
    path = _write(tmp_path, GOOD)
    first, second = load_descriptions(str(path))
    assert first.label == "sit down"
    assert first.fields == {
        "label": ("sit down",),
        "synonyms": ("take a seat", "be seated"),
        "head": ("head moves down",),
    }
    assert (first.where, second.where) == (f"{path}, line 4", f"{path}, line 11")
    assert second.label == "5"
    assert _labels(_write(tmp_path, GOOD.replace("sit", "später 坐"))) == [
        "später 坐 down",
        "5",
    ]


def test_base(tmp_path: Path) -> None:
    _write(tmp_path, GOOD, "large.yaml")
    small = _write(tmp_path, f"{BASED}first: 1\n")
    whole = _write(tmp_path, BASED, "whole.yaml")
    chain = _write(tmp_path, BASED.replace("large", "mine"), "chain.yaml")
    assert _labels(small) == ["sit down"]
    assert _labels(whole) == ["sit down", "5"]
    assert load_descriptions(chain) == load_descriptions(small)


def test_include(tmp_path: Path) -> None:
    path = _write(tmp_path, INCLUDING)
    small = _write(tmp_path, f"{SCHEMA}base: mine.yaml\n", "small.yaml")
    # What is included need not be there where it is left out.
    second = load_descriptions(small, include=False)[1]
    assert set(second.fields) == {"label", "synonyms"}
    _write(tmp_path, MORE, "more.yaml")
    first, second = load_descriptions(path)
    assert set(first.fields) == {"label", "synonyms", "head"}
    assert second.fields["manual"] == ("legs straighten",)
    # Several, and through a base.
    _write(tmp_path, MORE.replace("manual", "hake"), "hake.yaml")
    _write(tmp_path, INCLUDING.replace("more.yaml", "[more.yaml, hake.yaml]"))
    second = load_descriptions(small)[1]
    assert set(second.fields) == {"label", "synonyms", "manual", "hake"}


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("gap-descriptions/1", "2", 1, ["`schema` must be 'gap-descriptions/1'"]),
        (SCHEMA, "", 1, ["`schema` must be"]),
        ("dataset:", "data set:", 2, ["unknown key 'data set'", "'dataset'"]),
        ("classes:", "clases:", 3, ["unknown key 'clases'", "'classes'"]),
        ("dataset: mine", "schema: x", 2, ["the key 'schema' stands twice"]),
        ("dataset: mine", "base: x.yaml", 1, ["either `classes` or `base`"]),
        ("dataset: mine", "first: 1", 2, ["`first` goes with `base`"]),
        ("  - label: 5\n    syn", "  - syn", 11, ["class 1 needs one `label`"]),
        ("label: 5", "label: [5, 6]", 11, ["class 1 needs one `label`"]),
        ("label: 5", "label: sit down", 11, ["class 1", "'sit down'", "line 4"]),
        ("label: 5", "label: ''", 11, ["class 1, field 'label' is empty"]),
        ("label: 5", "label:", 11, ["class 1, field 'label' must be a text"]),
        ("take a seat", "", 6, ["class 0, field 'synonyms' must be a text"]),
        ("be seated", "{a: b}", 7, ["class 0, field 'synonyms' must be a text"]),
        ("be seated", "[a, b]", 7, ["class 0, field 'synonyms' must be a text"]),
        ("be seated", "'  '", 7, ["class 0, field 'synonyms' is empty"]),
        ("[stand up]", "[]", 12, ["class 1, field 'synonyms' is an empty list"]),
        ("[stand up]", "~", 12, ["class 1, field 'synonyms' must be a text"]),
        ("head:", "synonyms:", 8, ["the key 'synonyms' stands twice"]),
        ("  - label: 5\n    syn", "  - five\n#", 11, ["class 1 must be"]),
        (GOOD, f"{SCHEMA}classes: []", 2, ["`classes` must be a list"]),
        (GOOD, f"{SCHEMA}classes:\n  a: b", 3, ["`classes` must be a list"]),
        # Of other files.
        (GOOD, f"{BASED}first: 3", 3, ["`first` is '3'", "base has 2 classes"]),
        (GOOD, f"{BASED}first: 0", 3, ["`first` is '0'"]),
        (GOOD, f"{BASED}first: 1.5", 3, ["`first` is '1.5'"]),
        (GOOD, f"{BASED}first: \u00b2", 3, ["`first`"]),
        (GOOD, f"{BASED}first: {'9' * 5000}", 3, ["`first`"]),
        (GOOD, BASED.replace("large", "no"), 2, ["no.yaml', the `base`"]),
        (GOOD, BASED.replace("large", "y" * 5000), 2, ["the `base`"]),
        (GOOD, BASED.replace("large", "mine"), 2, ["'mine.yaml'"]),
        ("dataset: mine", "include: no.yaml", 2, ["no.yaml', the `include`"]),
        # Hostile ones.
        (GOOD, "? [a, b]\n: c\n", 1, ["where a key should be"]),
        (GOOD, "[" * 10**5, 1, ["nested deeper"]),
        (GOOD, "{a: " * 10**4, 1, ["nested deeper"]),
        ("sit down", "!mine sit", 4, ["tag '!mine'"]),
        (">-\n      head", "!!python/name:os.system", 8, ["python/name:os.system"]),
    ],
)  # fmt: skip
def test_line(tmp_path: Path, old: str, new: str, line: int, words: list[str]) -> None:
    assert old in GOOD
    _write(tmp_path, GOOD, "large.yaml")
    path = _write(tmp_path, GOOD.replace(old, new, 1))
    with raises(DescriptionError, f"{path}, line {line}: ", *words, "docs/descript"):
        load_descriptions(path)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("label: 5", "label: run", r"line 3: there is no class 'run'"),
        ("manual", "synonyms", r"line 3: class '5' .*'synonyms' at .*12"),
        ("schema", "shema", r"line 1: unknown key 'shema'"),
        ("classes:", "include: mine.yaml\nclasses:", r"line 2: 'mine"),
    ],
)
def test_fault_in_an_included_file(
    tmp_path: Path, old: str, new: str, words: str
) -> None:
    _write(tmp_path, MORE.replace(old, new), "more.yaml")
    with pytest.raises(DescriptionError, match=rf"more\.yaml, {words}"):
        load_descriptions(_write(tmp_path, INCLUDING))


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n", "a: [b", b"\xff\xfe"])
def test_no_mapping(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DescriptionError, match=r"mine\.yaml(: expect| is no)"):
        load_descriptions(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.yaml.*prompts\.descriptions"):
        load_descriptions(tmp_path / "no.yaml")


def test_nothing_is_executed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    call = f"!!python/object/apply:pathlib.Path.touch [{victim}]"
    path = _write(tmp_path, GOOD.replace("be seated", call))
    with pytest.raises(DescriptionError, match="line 7"):
        load_descriptions(path)
    assert not victim.exists()


def test_aliases_without_end(tmp_path: Path) -> None:
    classes = [f"  - label: c{i}\n    more: *x\n" for i in range(3000)]
    lines = ["  - label: first\n    more: &x\n", "      - a\n" * 3000, *classes]
    path = _write(tmp_path, f"{SCHEMA}classes:\n{''.join(lines)}")
    with pytest.raises(DescriptionError, match=r"mine\.yaml, line .*without end"):
        load_descriptions(path)


def test_files_that_name_the_next_one_twice(tmp_path: Path) -> None:
    _write(tmp_path, f"{SCHEMA}classes: [{{label: sit}}]\n", "f15.yaml")
    for i in range(15):
        name = f"f{i + 1}.yaml"
        _write(tmp_path, f"{SCHEMA}base: {name}\ninclude: {name}\n", f"f{i}.yaml")
    assert _labels(tmp_path / "f0.yaml") == ["sit"]
    _write(tmp_path, f"{SCHEMA}base: f0.yaml\n", "g0.yaml")
    path = _write(tmp_path, f"{SCHEMA}base: g0.yaml\n", "g1.yaml")
    with pytest.raises(DescriptionError, match="a chain of more than 16 files"):
        load_descriptions(path)


CLASSES: list[Fields] = [
    {"label": "sit down", "synonyms": ["take a seat", "be seated: now"]},
    {"label": "null", "head": "yes", "hand": "später - # 坐下 " + 40 * "long " + "end"},
    {"label": "12", "head": "'quoted' \"twice\""},
]


def test_written_files_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "mine.yaml"
    write_descriptions(path, "Mine", CLASSES, "How they were made:\n\nby hand.")
    assert [action.fields for action in load_descriptions(path)] == [
        {k: (v,) if isinstance(v, str) else tuple(v) for k, v in fields.items()}
        for fields in CLASSES
    ]
    header = "# How they were made:\n#\n# by hand.\nschema: gap-descriptions/1\n"
    before = path.read_text("utf-8")
    assert before.startswith(header)
    # A failure leaves the old file.
    with pytest.raises(TypeError):
        write_descriptions(path, "Mine", [{"label": 5}])  # type: ignore[dict-item]
    assert path.read_text("utf-8") == before
