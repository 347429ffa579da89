"""Description files and part states: what is read and written; errors with the line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gap_mmaction.models.text.descriptions import (
    DescriptionError,
    Fields,
    load_descriptions,
    write_descriptions,
)
from gap_mmaction.models.text.part_states import (
    PartState,
    nearest_states,
    part_state_fields,
    read_part_states,
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


def test_base_and_include(tmp_path: Path) -> None:
    _write(tmp_path, GOOD, "large.yaml")
    assert _labels(_write(tmp_path, f"{BASED}first: 1\n")) == ["sit down"]
    assert _labels(_write(tmp_path, BASED, "whole.yaml")) == ["sit down", "5"]
    path = _write(tmp_path, INCLUDING)
    small = _write(tmp_path, f"{SCHEMA}base: mine.yaml\n", "small.yaml")
    # What is included need not be there where it is left out.
    second = load_descriptions(small, include=False)[1]
    assert set(second.fields) == {"label", "synonyms"}
    _write(tmp_path, MORE, "more.yaml")
    first, second = load_descriptions(str(path))
    assert (first.where, second.where) == (f"{path}, line 5", f"{path}, line 12")
    synonyms = ("take a seat", "be seated")
    expected = dict(label=("sit down",), synonyms=synonyms, head=("head moves down",))
    assert first.fields == expected
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
        ("dataset:", "data set:", 2, ["unknown key 'data set'", "'dataset'"]),
        ("dataset: mine", "schema: x", 2, ["the key 'schema' stands twice"]),
        ("dataset: mine", "base: x.yaml", 1, ["either `classes` or `base`"]),
        ("dataset: mine", "first: 1", 2, ["`first` goes with `base`"]),
        ("  - label: 5\n    syn", "  - syn", 11, ["class 1 needs one `label`"]),
        ("label: 5", "label: sit down", 11, ["class 1", "'sit down'", "line 4"]),
        ("label: 5", "label: ''", 11, ["class 1, field 'label' is empty"]),
        ("be seated", "{a: b}", 7, ["class 0, field 'synonyms' must be a text"]),
        ("[stand up]", "[]", 12, ["class 1, field 'synonyms' is an empty list"]),
        ("head:", "synonyms:", 8, ["the key 'synonyms' stands twice"]),
        ("  - label: 5\n    syn", "  - five\n#", 11, ["class 1 must be"]),
        (GOOD, f"{SCHEMA}classes:\n  a: b", 3, ["`classes` must be a list"]),
        # Of other files.
        (GOOD, f"{BASED}first: 3", 3, ["`first` is '3'", "base has 2 classes"]),
        (GOOD, f"{BASED}first: {'9' * 5000}", 3, ["`first`"]),
        (GOOD, BASED.replace("large", "no"), 2, ["no.yaml', the `base`"]),
        (GOOD, BASED.replace("large", "y" * 5000), 2, ["the `base`"]),
        (GOOD, BASED.replace("large", "mine"), 2, ["'mine.yaml'"]),
        ("dataset: mine", "include: no.yaml", 2, ["no.yaml', the `include`"]),
        # Hostile ones.
        (GOOD, "? [a, b]\n: c\n", 1, ["where a key should be"]),
        (GOOD, "[" * 10**5, 1, ["nested deeper"]),
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


def test_included(tmp_path: Path) -> None:
    for old, new, words in (
        ("label: 5", "label: run", r"line 3: there is no class 'run'"),
        ("manual", "synonyms", r"line 3: class '5' .*'synonyms' at .*12"),
        ("classes:", "include: mine.yaml\nclasses:", r"line 2: 'mine"),
    ):
        _write(tmp_path, MORE.replace(old, new), "more.yaml")
        with pytest.raises(DescriptionError, match=rf"more\.yaml, {words}"):
            load_descriptions(_write(tmp_path, INCLUDING))


@pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n", "a: [b", b"\xff\xfe"])
def test_no_mapping(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DescriptionError, match=r"mine\.yaml(: expect| is no)"):
        load_descriptions(path)
    with pytest.raises(FileNotFoundError, match=r"no\.yaml.*prompts\.descriptions"):
        load_descriptions(tmp_path / "no.yaml")


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
    _write(tmp_path, BASED.replace("large", "f0"), "g0.yaml")
    path = _write(tmp_path, BASED.replace("large", "g0"), "g1.yaml")
    with pytest.raises(DescriptionError, match="a chain of more than 16 files"):
        load_descriptions(path)


def test_written_files_can_be_read(tmp_path: Path) -> None:
    classes: list[Fields] = [
        dict(label="sit down", synonyms=["take a seat", "be seated: now"]),
        dict(label="null", head="yes", hand="später # 坐下 " + 40 * "long " + "end"),
        dict(label="12", head="'quoted' \"twice\""),
    ]
    path = tmp_path / "new" / "mine.yaml"
    write_descriptions(path, "Mine", classes, "How they were made:\n\nby hand.")
    assert [action.fields for action in load_descriptions(path)] == [
        {k: (v,) if isinstance(v, str) else tuple(v) for k, v in fields.items()}
        for fields in classes
    ]
    before = path.read_text("utf-8")
    assert before.startswith("# How they were made:\n#\n# by hand.\nschema: gap-desc")
    # A failure leaves the old file.
    with pytest.raises(TypeError):
        write_descriptions(path, "Mine", [{"label": 5}])  # type: ignore[dict-item]
    assert path.read_text("utf-8") == before


STATES = [PartState("foot", name) for name in ("stand on", "kick")]
STATES += [PartState("hand", name) for name in ("raise(over head)", "hold", "wear")]


def test_part_states(shared: Path, tmp_path: Path) -> None:
    path = tmp_path / "states.txt"
    path.write_text("foot: stand on\nfoot: no_interaction\n\n hand : raise(over  head)")
    states = read_part_states(str(path))
    assert states == [STATES[0], STATES[2]]
    states = read_part_states(shared / "data" / "hake" / "part_states_93.txt")
    assert len(states) == 87 and len({state.part for state in states}) == 6
    fields = part_state_fields([STATES[2], STATES[0], STATES[3]])
    assert fields["hake"] == "hand raise over head, foot stand on, hand hold"
    assert fields["hake_hand"] == "hand raise over head, hand hold"
    assert len(fields) == 7 and fields["hake_arm"] == "arm no interaction"


def test_bad_part_states(tmp_path: Path) -> None:
    path = tmp_path / "states.txt"
    with pytest.raises(FileNotFoundError, match=r"'.*states\.txt'; give one"):
        read_part_states(path)
    for text, words in (
        (b"foot: kick\nfoot kick", r", line 2: 'foot kick' is no 'part: state'"),
        (b"toe: kick", r", line 1: 'toe: kick': the part 'toe' is none of \('head'"),
        (b"leg: bend\n\nleg:  bend", ", line 3: .* stands in line 1 too"),
        (b"foot: no_interaction", " has no part states"),
        (b"foot: \xff", " is no UTF-8 text"),
    ):
        path.write_bytes(text)
        with pytest.raises(ValueError, match=rf"states\.txt{words}"):
            read_part_states(path)


def _place(*degrees: float) -> torch.Tensor:
    """Returns features in the plane, whose lengths say nothing."""
    angles = torch.deg2rad(torch.tensor(degrees))
    lengths = torch.arange(1.0, 1 + len(degrees))
    return torch.stack([angles.cos(), angles.sin()], 1) * lengths[:, None]


@pytest.mark.parametrize(
    ("k", "threshold", "at_least", "label", "expected"),
    [
        (2, -1, 1, 0, ["kick", "stand on", "hold", "wear"]),
        (2, 0.95, 1, 25, ["hold", "wear", "stand on"]),  # it is at 18 degrees
        (2, 0.999, 1, 0, ["kick"]),  # none reaches it
        (2, 0.95, 3, 0, ["kick", "stand on", "hold"]),
    ],
)
def test_nearest_states(
    k: int, threshold: float, at_least: int, label: float, expected: list[str]
) -> None:
    states = _place(10, 5, 40, 20, 30)
    labels = _place(77, label)
    found = nearest_states(labels, states, STATES, k, threshold, at_least)[1]
    assert [state.name for state, _ in found] == expected
    # The noise of a machine: equal ones are in the order of the file.
    features = torch.tensor([[1.0, 0.0], [1.0, 1e-6], [1.0, -1e-6]])
    for kept in nearest_states(features, features, STATES[2:], 3, 0.5):
        assert kept == [(state, 1.0) for state in STATES[2:]]
    wrong = dict(k=(0, 0, 1), at_least=(1, 0, 0), threshold=(1, 1.5, 1))
    for words, (k, threshold, at_least) in {**wrong, "5 states": (1, 0, 1)}.items():
        with pytest.raises(ValueError, match=words):
            nearest_states(features, features, STATES, k, threshold, at_least)
