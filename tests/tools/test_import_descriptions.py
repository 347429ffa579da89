"""tools/data/import_descriptions.py, on made-up lines."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.models.text.descriptions import load_descriptions
from tools.data.import_descriptions import main

PARTS = ("head", "hand", "arm", "hip", "leg", "foot")
LABELS = "paddle a boat\nwave a flag\n"
SYNONYMS = "paddle a boat,row along,canoe\nwave a flag,swing a banner,flutter\n"
SENTENCES = (
    "looks at the bow; the hands grip a paddle; arms dip and draw; "
    "turns, a little; knees stay bent; rests on the floor",
    "nods; hand holds a pole; arm sways high; hip leads; legs stand; feet apart",
)
GLUED = "".join(
    f"{label} {text}\n" for label, text in zip(LABELS.split("\n"), SENTENCES)
)


class Importer:
    """Writes files and imports them."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.out = folder / "out.yaml"

    def run(self, **contents: str) -> str:
        """Import, and return what is told on stderr."""
        assert self.status(**contents) == 0, self.capsys.readouterr().err
        return self.capsys.readouterr().err

    def fail(self, **contents: str) -> str:
        """Import in vain, and return what is told on stderr."""
        assert self.status(**contents) == 1
        assert not self.out.exists()
        return self.capsys.readouterr().err

    def status(self, **contents: str) -> int:
        options = ["--dataset", "Mine", "--out", str(self.out)]
        for kind, content in contents.items():
            path = self.folder / f"{kind}.txt"
            path.write_text(content, encoding="utf-8")
            options += [f"--{kind}", str(path)]
        return main(options)

    def fields(self) -> list[dict[str, tuple[str, ...]]]:
        return [action.fields for action in load_descriptions(self.out)]


@pytest.fixture
def tool(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Importer:
    return Importer(tmp_path, capsys)


def with_parts(*lines: str) -> str:
    return "".join(
        f"{label}; {line}\n" for label, line in zip(LABELS.split("\n"), lines)
    )


def test_all_files(tool: Importer) -> None:
    told = tool.run(
        labels=LABELS,
        synonyms=SYNONYMS,
        paragraphs="paddle a boat; One sits; then rows. It goes on.\n"
        "wave a flag, A flag is held up, and waved.\n",
        parts=with_parts(*SENTENCES),
    )
    assert told == ""
    first, second = tool.fields()
    assert list(first) == ["label", "synonyms", "paragraph", *PARTS]
    assert first["label"] == ("paddle a boat",)
    assert first["synonyms"] == ("row along", "canoe")
    assert first["paragraph"] == ("One sits; then rows. It goes on.",)
    assert second["paragraph"] == ("A flag is held up, and waved.",)
    assert [first[part][0] for part in PARTS] == SENTENCES[0].split("; ")
    assert [second[part][0] for part in PARTS] == SENTENCES[1].split("; ")
    text = tool.out.read_text()
    assert "#   parts: parts.txt" in text
    assert str(tool.folder) not in text
    assert "dataset: Mine" in text


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        ("labels", LABELS, {"label"}),
        ("synonyms", SYNONYMS, {"label", "synonyms"}),
        (
            "paragraphs",
            "paddle a boat; One rows.\nwave a flag; It waves.",
            {"label", "paragraph"},
        ),
        ("parts", with_parts(*SENTENCES), {"label", *PARTS}),
    ],
)
def test_one_file(tool: Importer, kind: str, content: str, expected: set[str]) -> None:
    told = tool.run(**{kind: content})
    assert ("look at them" in told) == (kind != "labels")
    assert set(tool.fields()[0]) == expected
    assert [fields["label"][0] for fields in tool.fields()] == LABELS.split("\n")[:2]


def test_white_space_and_empty_lines(tool: Importer) -> None:
    content = "\ufeff  paddle  a boat ;  row along ; \tcanoe\r\n\r\nwave a flag;swing"
    assert "dropped" not in tool.run(synonyms=content, labels=f"\n{LABELS}\n\n")
    assert [fields["synonyms"] for fields in tool.fields()] == [
        ("row along", "canoe"),
        ("swing",),
    ]


class TestSynonyms:
    @pytest.mark.parametrize(
        ("line", "expected", "told"),
        [
            ("wave;sway, gently;flap", ("sway, gently", "flap"), ""),
            ("wave; sway, flap", ("sway", "flap"), ""),
            ("wave,sway,flap.", ("sway", "flap"), "final full stops dropped (1)"),
            ("wave,sway,,flap", ("sway", "flap"), "empty fields dropped (1)"),
            ("wave,sway,", ("sway",), "at the end of a line dropped (1)"),
            ("wave,sway,Sway", ("sway",), "line 1: the second 'Sway' is dropped"),
            ("wave,wave,sway", ("wave", "sway"), ""),
        ],
    )
    def test_line(
        self, tool: Importer, line: str, expected: tuple[str, ...], told: str
    ) -> None:
        error = tool.run(synonyms=line, labels="wave")
        assert told in error
        assert bool(told) == bool(error)
        assert tool.fields()[0]["synonyms"] == expected

    @pytest.mark.parametrize("line", ["wave,", "wave", "wave, ,.", "wave;;"])
    def test_none(self, tool: Importer, line: str) -> None:
        error = tool.fail(synonyms=line, labels="wave")
        assert "synonyms.txt, line 1: 'wave' has no synonyms; write" in error


class TestParts:
    def test_full_stops(self, tool: Importer) -> None:
        told = tool.run(parts="row; h.; h2; a; p; l; f and so on...\nwave;1;2;3;4;5;6.")
        assert "final full stops dropped (2)" in told
        first, second = tool.fields()
        assert [first["head"], first["foot"]] == [("h",), ("f and so on...",)]
        assert second["foot"] == ("6",)

    def test_commas(self, tool: Importer) -> None:
        tool.run(parts="row, a, b, c, d, e, f\nwave; g, h, i, j, k, l\n")
        first, second = tool.fields()
        assert [first[part][0] for part in PARTS] == list("abcdef")
        assert [second[part][0] for part in PARTS] == list("ghijkl")

    def test_separator_at_the_end(self, tool: Importer) -> None:
        told = tool.run(parts="row;a;b;c;d;e;f;\nwave;a;b;c;d;e;g ;.\n")
        assert "separators at the end of a line dropped (2)" in told
        assert [fields["foot"][0] for fields in tool.fields()] == ["f", "g"]

    def test_split_sentences_are_merged(self, tool: Importer) -> None:
        told = tool.run(
            parts="row, head up, then down, Hands close, both arms pull, hips turn, "
            "slowly, the leg bends, feet still"
        )
        (fields,) = tool.fields()
        assert [fields[part][0] for part in PARTS] == [
            "head up, then down",
            "Hands close",
            "both arms pull",
            "hips turn, slowly",
            "the leg bends",
            "feet still",
        ]
        assert "line 1: merged into one sentence: 'head up, then down'" in told
        assert "merged into one sentence: 'hips turn, slowly'" in told

    def test_too_many(self, tool: Importer) -> None:
        for line in ("row,a,b,c,d,e,f,g", "row, head, hand, hand, arm, hip, leg, foot"):
            error = tool.fail(parts=f"wave;1;2;3;4;5;6\n{line}")
            assert "parts.txt, line 2: 7 sentences after the label, expected 6" in error
            assert "separate the sentences by ';', or start each with" in error

    def test_too_few(self, tool: Importer) -> None:
        error = tool.fail(parts="row;a;b;c;d;e")
        assert "line 1: 5 sentences after the label" in error
        assert "give --labels" in error
        error = tool.fail(parts="row;a;b;c;d;e", labels="row")
        assert "line 1: 5 sentences after the label" in error
        assert "--labels" not in error

    def test_empty(self, tool: Importer) -> None:
        error = tool.fail(parts="row;a;b; ;d;e;f")
        assert "line 1: the sentence of arm is empty; write one" in error

    def test_another_order_is_told(self, tool: Importer) -> None:
        told = tool.run(parts="row;head;hand;hips turn;arm;leg;foot")
        assert "the sentence of arm starts with another part: 'hips turn'" in told
        assert "the sentence of hip starts with another part: 'arm'" in told


class TestGlued:
    @pytest.mark.parametrize("glue", [" ", ". ", ": ", ", "])
    def test_parts(self, tool: Importer, glue: str) -> None:
        lines = (f"{a}{glue}{b}" for a, b in zip(LABELS.split("\n"), SENTENCES))
        told = tool.run(synonyms=SYNONYMS, parts="\n".join(lines))
        assert ("labels without a separator after them (2)" in told) == (glue != ", ")
        for fields, text in zip(tool.fields(), SENTENCES):
            assert [fields[part][0] for part in PARTS] == text.split("; ")

    def test_without_a_blank(self, tool: Importer) -> None:
        tool.run(
            labels="row\nwave",
            parts="rowHead; b; c; d; e; f\nwavehead, up; hand; arm; hip; leg; foot",
            paragraphs="rowOne rows.\nwave. One waves.",
        )
        first, second = tool.fields()
        assert [first["head"][0], second["head"][0]] == ["Head", "head, up"]
        assert [first["paragraph"][0], second["paragraph"][0]] == [
            "One rows.",
            "One waves.",
        ]

    def test_needs_the_labels(self, tool: Importer) -> None:
        assert "give --labels" in tool.fail(parts=GLUED)
        for text in ("wave. One waves, and rests.", "One waves.", ", One waves."):
            assert "with --labels" in tool.fail(paragraphs=text)

    def test_a_longer_label_is_not_cut(self, tool: Importer) -> None:
        error = tool.fail(
            labels="kick\nkick a ball",
            parts="kick a ball 1;2;3;4;5;6\nkick 1;2;3;4;5;6",
        )
        assert "parts.txt, line 1: the label 'kick' of" in error
        assert "labels.txt, line 1 is expected" in error
        for kind, line in (
            ("paragraphs", "kicks; One kicks."),
            ("paragraphs", "kick one kicks."),
            ("synonyms", "kick Hit, strike"),
            ("parts", "kick it;1;2;3;4;5;6"),
            ("parts", "kicks 1;2;3;4;5;6"),
        ):
            error = tool.fail(**{"labels": "kick", kind: line})
            assert "line 1: the label 'kick' of" in error
            assert "put a ';' after the label" in error


class TestLabels:
    def test_with_commas(self, tool: Importer) -> None:
        label = "reach, then grab"
        tool.run(
            labels=label, synonyms=f"{label}, snatch", parts=f"{label};1;2;3;4;5;6"
        )
        assert tool.fields()[0]["synonyms"] == ("snatch",)

    def test_a_longer_one_with_a_comma(self, tool: Importer) -> None:
        labels = "reach\nreach, then grab"
        tool.run(labels=labels, synonyms="reach, extend\nreach, then grab, snatch")
        assert [fields["synonyms"] for fields in tool.fields()] == [
            ("extend",),
            ("snatch",),
        ]
        tool.out.unlink()
        error = tool.fail(labels=labels, synonyms="reach, then grab, snatch\nreach, x")
        assert "synonyms.txt, line 1: the label 'reach' of" in error

    def test_spelling(self, tool: Importer) -> None:
        told = tool.run(labels="Row.", synonyms="row,canoe")
        assert "synonyms.txt, line 1: the label 'row' is taken for 'Row'" in told
        assert "labels.txt: final full stops dropped (1)" in told
        assert tool.fields()[0]["label"] == ("Row",)

    def test_disagree(self, tool: Importer) -> None:
        error = tool.fail(synonyms="row,canoe\nwave,sway", parts="\nwave;1;2;3;4;5;6")
        assert "parts.txt, line 2: the label 'row' of" in error
        assert "synonyms.txt, line 1 is expected, the line starts with" in error
        assert "make the labels and their order agree" in error

    def test_other_numbers(self, tool: Importer) -> None:
        error = tool.fail(labels=LABELS, synonyms=SYNONYMS.split("\n")[0])
        assert "synonyms.txt, line 1: the file ends before the label 'wave a" in error
        error = tool.fail(labels="row", synonyms="row,canoe\nwave,sway")
        assert "synonyms.txt, line 2: 'wave,sway' is class 1," in error
        assert "labels.txt has 1 classes only" in error

    def test_twice(self, tool: Importer) -> None:
        error = tool.fail(labels="row\nwave\n\nRow")
        assert "labels.txt, line 4: the label 'Row' stands in line 1 already" in error
        error = tool.fail(synonyms="row,canoe\nrow,paddle")
        assert "synonyms.txt, line 2: the label 'row' stands in line 1" in error

    def test_another_kind_of_file(self, tool: Importer) -> None:
        error = tool.fail(labels="row;1;2;3;4;5;6")
        assert "labels.txt, line 1: 'row;1;2;3;4;5;6' has a ';'" in error
        assert "--parts" in error
        error = tool.fail(labels="row,paddle,canoe\nwave,greet,hail")
        assert "every line is separated by ','" in error

    def test_where_it_ends(self, tool: Importer) -> None:
        error = tool.fail(synonyms="reach, then grab; snatch")
        assert "where the label ends in 'reach, then grab'; give" in error


class TestFiles:
    def test_gone(self, tool: Importer) -> None:
        options = ["--dataset", "x", "--out", str(tool.out)]
        assert main([*options, "--parts", str(tool.folder / "gone.txt")]) == 1
        assert "there is no file" in tool.capsys.readouterr().err

    def test_empty(self, tool: Importer) -> None:
        assert "parts.txt is empty" in tool.fail(parts=" \n")

    def test_tabs(self, tool: Importer) -> None:
        error = tool.fail(labels="row\nwave", synonyms="row\tpaddle\nwave\tgreet")
        assert "synonyms.txt, line 1: 'row paddle' is separated by tabs" in error

    def test_no_text(self, tool: Importer) -> None:
        path = tool.folder / "latin.txt"
        path.write_bytes(b"caf\xe9")
        options = ["--dataset", "x", "--out", str(tool.out)]
        assert main([*options, "--labels", str(path)]) == 1
        assert "latin.txt is no UTF-8 text" in tool.capsys.readouterr().err

    def test_options(self, tool: Importer) -> None:
        path = tool.folder / "labels.txt"
        path.write_text("row")
        for options in (
            ["--dataset", "x", "--out", str(tool.out)],
            ["--dataset", "x", "--out", str(path), "--labels", str(path)],
            ["--dataset", "x", "--out", "out.txt", "--labels", str(path)],
            ["--dataset", "x", "--out", str(path.parent), "--labels", str(path)],
        ):
            with pytest.raises(SystemExit):
                main(options)
