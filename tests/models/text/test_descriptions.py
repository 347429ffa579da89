"""Description files: what is read, and errors with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.models.text.descriptions import DescriptionError, load_descriptions

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


def _write(folder: Path, text: str, name: str = "mine.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


class TestReading:
    """What a good file says."""

    def test_fields(self, tmp_path: Path) -> None:
        path = _write(tmp_path, GOOD)
        first, second = load_descriptions(str(path))
        assert first.label == "sit down"
        assert first.fields == {
            "label": ("sit down",),
            "synonyms": ("take a seat", "be seated"),
            "head": ("head moves down",),
        }
        assert first.where == f"{path}, line 4"
        assert second.label == "5"
        assert second.where == f"{path}, line 11"

    def test_other_letters(self, tmp_path: Path) -> None:
        path = _write(tmp_path, GOOD.replace("sit down", "hinsetzen, später 坐下"))
        assert load_descriptions(path)[0].label == "hinsetzen, später 坐下"

    def test_base(self, tmp_path: Path) -> None:
        _write(tmp_path, GOOD, "large.yaml")
        head = "schema: gap-descriptions/1\nbase: large.yaml\n"
        small = _write(tmp_path, head + "first: 1\n")
        whole = _write(tmp_path, head, "whole.yaml")
        chain = _write(tmp_path, head.replace("large", "mine"), "chain.yaml")
        assert [action.label for action in load_descriptions(small)] == ["sit down"]
        assert [action.label for action in load_descriptions(whole)] == [
            "sit down",
            "5",
        ]
        assert load_descriptions(chain) == load_descriptions(small)


class TestErrors:
    """Every kind of fault, with file and line."""

    @pytest.mark.parametrize(
        ("old", "new", "line", "words"),
        [
            ("gap-descriptions/1", "2", 1, ["`schema` must be 'gap-descriptions/1'"]),
            ("schema: gap-descriptions/1\n", "", 1, ["`schema` must be"]),
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
        ],
    )  # fmt: skip
    def test_line(
        self, tmp_path: Path, old: str, new: str, line: int, words: list[str]
    ) -> None:
        assert old in GOOD
        path = _write(tmp_path, GOOD.replace(old, new, 1))
        with pytest.raises(DescriptionError) as error:
            load_descriptions(path)
        message = str(error.value)
        assert message.startswith(f"{path}, line {line}: ")
        for word in (*words, "docs/descriptions.md"):
            assert word in message

    @pytest.mark.parametrize("classes", ["", " []", " {a: b}", " five", "\n  a: b"])
    def test_no_list_of_classes(self, tmp_path: Path, classes: str) -> None:
        path = _write(tmp_path, f"schema: gap-descriptions/1\nclasses:{classes}\n")
        with pytest.raises(
            DescriptionError, match=r"line [23]: `classes` must be a li"
        ):
            load_descriptions(path)

    @pytest.mark.parametrize("text", ["", "just words", "- a\n- b\n"])
    def test_no_mapping(self, tmp_path: Path, text: str) -> None:
        path = _write(tmp_path, text)
        with pytest.raises(DescriptionError, match=r"mine\.yaml: expected a mapping"):
            load_descriptions(path)

    @pytest.mark.parametrize("text", ["a: [", "a: b: c", "\ta: b", "a: 'b"])
    def test_no_yaml(self, tmp_path: Path, text: str) -> None:
        path = _write(tmp_path, "schema: gap-descriptions/1\n" + text)
        with pytest.raises(DescriptionError, match=r"(?s)no valid YAML.*line \d"):
            load_descriptions(path)

    def test_nothing_is_executed(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        call = f"!!python/object/apply:pathlib.Path.touch [{victim}]"
        path = _write(tmp_path, GOOD.replace("be seated", call))
        with pytest.raises(DescriptionError, match="line 7"):
            load_descriptions(path)
        assert not victim.exists()

    def test_no_text_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.yaml"
        path.write_bytes(b"schema: \xff\xfe")
        with pytest.raises(DescriptionError, match=r"mine\.yaml is no UTF-8 text"):
            load_descriptions(path)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as error:
            load_descriptions(tmp_path / "other.yaml")
        for word in ("other.yaml", "docs/descriptions.md", "prompts.descriptions"):
            assert word in str(error.value)


class TestErrorsOfBase:
    """A file that builds on another one."""

    HEAD = "schema: gap-descriptions/1\nbase: large.yaml\n"

    @pytest.mark.parametrize("first", ["3", "0", "-1", "1.5", "all"])
    def test_first(self, tmp_path: Path, first: str) -> None:
        _write(tmp_path, GOOD, "large.yaml")
        path = _write(tmp_path, f"{self.HEAD}first: {first}\n")
        message = rf"line 3: `first` is '{first}', large\.yaml has 2 classes"
        with pytest.raises(DescriptionError, match=message):
            load_descriptions(path)

    def test_no_base(self, tmp_path: Path) -> None:
        path = _write(tmp_path, self.HEAD)
        with pytest.raises(
            DescriptionError, match=r"line 2: .*large\.yaml', the `base"
        ):
            load_descriptions(path)

    def test_fault_in_base(self, tmp_path: Path) -> None:
        _write(tmp_path, GOOD.replace("label: 5", "label: sit down"), "large.yaml")
        path = _write(tmp_path, self.HEAD)
        with pytest.raises(DescriptionError, match=r"large\.yaml, line 11"):
            load_descriptions(path)

    def test_circle(self, tmp_path: Path) -> None:
        path = _write(tmp_path, self.HEAD)
        _write(tmp_path, self.HEAD.replace("large", "mine"), "large.yaml")
        with pytest.raises(DescriptionError, match=r"large\.yaml, line 2: 'mine\.yaml"):
            load_descriptions(path)


class TestInclude:
    """Fields of another file."""

    HEAD = GOOD.replace("dataset: mine\n", "dataset: mine\ninclude: more.yaml\n")
    MORE = """\
schema: gap-descriptions/1
classes:
  - label: 5
    manual: legs straighten
"""

    def test_added(self, tmp_path: Path) -> None:
        _write(tmp_path, self.MORE, "more.yaml")
        first, second = load_descriptions(_write(tmp_path, self.HEAD))
        assert set(first.fields) == {"label", "synonyms", "head"}
        assert second.fields == {
            "label": ("5",),
            "synonyms": ("stand up",),
            "manual": ("legs straighten",),
        }

    def test_left_out(self, tmp_path: Path) -> None:
        _write(tmp_path, self.HEAD)  # what it includes is not there
        small = "schema: gap-descriptions/1\nbase: mine.yaml\n"
        path = _write(tmp_path, small, "small.yaml")
        second = load_descriptions(path, include=False)[1]
        assert set(second.fields) == {"label", "synonyms"}

    def test_several_and_through_a_base(self, tmp_path: Path) -> None:
        _write(tmp_path, self.MORE, "more.yaml")
        _write(tmp_path, self.MORE.replace("manual", "hake"), "hake.yaml")
        head = self.HEAD.replace("more.yaml", "[more.yaml, hake.yaml]")
        _write(tmp_path, head)
        small = "schema: gap-descriptions/1\nbase: mine.yaml\n"
        second = load_descriptions(_write(tmp_path, small, "small.yaml"))[1]
        assert set(second.fields) == {"label", "synonyms", "manual", "hake"}

    @pytest.mark.parametrize(
        "old, new, message",
        [
            ("label: 5", "label: run", r"more\.yaml, line 3: there is no class 'run'"),
            (
                "manual",
                "synonyms",
                r"more\.yaml, line 3: class '5' .*'synonyms' at .*12",
            ),
            ("schema", "shema", r"more\.yaml, line 1: unknown key 'shema'"),
            ("classes:", "include: mine.yaml\nclasses:", r"more\.yaml, line 2: 'mine"),
        ],
    )
    def test_errors(self, tmp_path: Path, old: str, new: str, message: str) -> None:
        _write(tmp_path, self.MORE.replace(old, new), "more.yaml")
        with pytest.raises(DescriptionError, match=message):
            load_descriptions(_write(tmp_path, self.HEAD))

    def test_no_file(self, tmp_path: Path) -> None:
        path = _write(tmp_path, self.HEAD)
        with pytest.raises(DescriptionError, match=r"line 3: .*more\.yaml', the `incl"):
            load_descriptions(path)


class TestHostileFiles:
    """What no one writes by mistake ends in the same kind of error."""

    @pytest.mark.parametrize(
        "text",
        [
            "? [a, b]\n: c\n",
            "[" * 10**5,
            "{a: " * 10**4,
            GOOD.replace("head moves", "!!python/name:os.system").replace(">-", ""),
            GOOD.replace("sit down", "!mine sit"),
            "schema: gap-descriptions/1\nbase: good.yaml\nfirst: \u00b2\n",
            "schema: gap-descriptions/1\nbase: good.yaml\nfirst: " + "9" * 5000,
            f"schema: gap-descriptions/1\nbase: {'y' * 5000}.yaml\n",
        ],
    )
    def test_is_named(self, text: str, tmp_path: Path) -> None:
        _write(tmp_path, GOOD, "good.yaml")
        with pytest.raises(DescriptionError, match=r"mine\.yaml"):
            load_descriptions(_write(tmp_path, text))

    def test_aliases_without_end(self, tmp_path: Path) -> None:
        classes = [f"  - label: c{i}\n    more: *x\n" for i in range(3000)]
        lines = ["  - label: first\n    more: &x\n", "      - a\n" * 3000, *classes]
        text = "schema: gap-descriptions/1\nclasses:\n" + "".join(lines)
        with pytest.raises(DescriptionError, match=r"mine\.yaml, line .*without end"):
            load_descriptions(_write(tmp_path, text))

    def test_files_that_name_the_next_one_twice(self, tmp_path: Path) -> None:
        head = "schema: gap-descriptions/1\n"
        _write(tmp_path, head + "classes: [{label: sit}]\n", "f15.yaml")
        for i in range(15):
            name = f"f{i + 1}.yaml"
            _write(tmp_path, f"{head}base: {name}\ninclude: {name}\n", f"f{i}.yaml")
        assert [a.label for a in load_descriptions(tmp_path / "f0.yaml")] == ["sit"]
        _write(tmp_path, f"{head}base: f0.yaml\n", "g0.yaml")
        path = _write(tmp_path, f"{head}base: g0.yaml\n", "g1.yaml")
        with pytest.raises(DescriptionError, match="a chain of more than 16 files"):
            load_descriptions(path)
