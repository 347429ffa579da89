"""tools/data/import_descriptions.py, on made-up lines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gap_mmaction.models.text.descriptions import PARTS, load_descriptions
from tools.data.import_descriptions import main

LABELS = "paddle a boat\nwave a flag\n"
SYNONYMS = "paddle a boat,row along,canoe\nwave a flag,swing a banner,flutter\n"
SENTENCES = (
    "looks at the bow; the hands grip a paddle; arms dip and draw; "
    "turns, a little; knees stay bent; rests on the floor",
    "nods; hand holds a pole; arm sways high; hip leads; legs stand; feet apart",
)
Printed = pytest.CaptureFixture[str]
Run = Callable[..., str]
KICK = "kick\nkick a ball"
EXPECTED = "the label 'kick' of"


def with_parts(glue: str = "; ") -> str:
    pairs = zip(LABELS.split("\n"), SENTENCES)
    return "".join(f"{label}{glue}{text}\n" for label, text in pairs)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> Run:
    """Writes files and imports them; returns what is told on stderr."""
    monkeypatch.chdir(tmp_path)

    def write_and_import(contents: dict[str, str], status: int = 0) -> str:
        options = ["--dataset", "Mine", "--out", "out.yaml"]
        for kind, content in contents.items():
            Path(f"{kind}.txt").write_text(content, encoding="utf-8")
            options += [f"--{kind}", str(Path(f"{kind}.txt").resolve())]
        assert main(options) == status
        assert Path("out.yaml").exists() == (status == 0)
        return capsys.readouterr().err

    return write_and_import


def texts(field: str) -> list[tuple[str, ...]]:
    return [action.fields[field] for action in load_descriptions("out.yaml")]


def parts() -> list[list[str]]:
    actions = load_descriptions("out.yaml")
    return [[action.fields[part][0] for part in PARTS] for action in actions]


def test_all_files(run: Run) -> None:
    contents = {
        "labels": LABELS,
        "synonyms": SYNONYMS,
        "paragraphs": "paddle a boat; One sits; then rows. So on.\nwave a flag, A.",
        "parts": with_parts(),
    }
    assert run(contents) == ""
    (first, _) = load_descriptions("out.yaml")
    assert first.fields["synonyms"] == (first.label, "row along", "canoe")
    assert first.fields["paragraph"] == ("One sits; then rows. So on.",)
    assert parts() == [text.split("; ") for text in SENTENCES]
    text = Path("out.yaml").read_text()
    assert "#   parts: parts.txt" in text and str(Path.cwd()) not in text
    # Of one file alone, whose lines have the labels.
    for kind, content in contents.items():
        told = run({kind: content})
        assert ("look at them" in told) == (kind != "labels")
        assert texts("label") == [("paddle a boat",), ("wave a flag",)]


@pytest.mark.parametrize(
    ("line", "expected", "told"),
    [
        ("wave;sway, gently;flap", "sway, gently|flap", ""),
        ("\ufeff  wave ; sway,\t flap\r\n\r\n", "sway|flap", ""),
        ("wave,sway,flap.", "sway|flap", "final full stops dropped (1)"),
        ("wave,sway,,flap", "sway|flap", "empty fields dropped (1)"),
        ("wave,sway,Sway", "sway", "line 1: the second 'Sway' is dropped"),
        ("wave,wave,sway", "sway", ""),
        ("Wave,sway", "sway", "line 1: the label 'Wave' is taken for 'wave'"),
        # Six sentences of parts.
        ("wave; h.; h2; a; p; l; f...", "h|h2|a|p|l|f...", "full stops dropped (1)"),
        ("wave; a, b, c, d, e, f", "a|b|c|d|e|f", ""),
        ("wave;a;b;c;d;e;f ;.", "a|b|c|d|e|f", "at the end of a line dropped (1)"),
        (
            "wave, head up, then down, Hands close, arms pull, hips turn, leg f, feet",
            "head up, then down|Hands close|arms pull|hips turn|leg f|feet",
            "line 1: merged into one sentence: 'head up, then down'",
        ),
        (
            "wave;head;hand;hips turn;arm;leg;foot",
            "head|hand|hips turn|arm|leg|foot",
            "the sentence of hip starts with another: 'arm'",
        ),
    ],
)
def test_lines(run: Run, line: str, expected: str, told: str) -> None:
    kind = "parts" if expected.count("|") == 5 else "synonyms"
    error = run({kind: line, "labels": "\nwave\n\n"})
    assert told in error and bool(told) == bool(error)
    found = parts()[0] if kind == "parts" else [*texts("synonyms")[0][1:]]
    assert found == expected.split("|")


def test_glued_labels(run: Run) -> None:
    for glue in (" ", ". ", ": ", ", "):
        told = run({"synonyms": SYNONYMS, "parts": with_parts(glue)})
        assert ("labels without a separator after them (2)" in told) == (glue != ", ")
        assert parts() == [text.split("; ") for text in SENTENCES]
    glued = "rowHead; b; c; d; e; f\nwavehead, up; hand; arm; hip; leg; foot"
    paragraphs = "rowOne rows.\nwave. One waves."
    run({"labels": "row\nwave", "parts": glued, "paragraphs": paragraphs})
    assert texts("head") == [("Head",), ("head, up",)]
    assert texts("paragraph") == [("One rows.",), ("One waves.",)]


def test_labels_with_commas(run: Run) -> None:
    synonyms = "reach, extend\nreach, then grab, snatch"
    run({"labels": "reach.\nreach, then grab", "synonyms": synonyms})
    assert texts("label") == [("reach",), ("reach, then grab",)]
    assert texts("synonyms") == [
        ("reach", "extend"),
        ("reach, then grab", "snatch"),
    ]


@pytest.mark.parametrize(
    ("contents", "where", "problem"),
    [
        ({"labels": "wave", "synonyms": "wave"}, "s.txt, line 1", "'wave' has no"),
        ({"parts": "w;1;2;3;4;5;6\nr,1,2,3,4,5,6,7"}, "s.txt, line 2", "7 sentences"),
        ({"parts": "row, head, hand, hand, arm, hip, leg, foot"}, "", "by ';'"),
        ({"parts": "row;a;b;c;d;e", "labels": "row"}, "line 1: 5 sent", "expected 6"),
        ({"parts": "row;a;b; ;d;e;f"}, "line 1", "the sentence of arm is empty"),
        ({"paragraphs": "wave. One waves, and rests."}, "line 1", "--labels"),
        ({"paragraphs": ", One waves."}, "paragraphs.txt, line 1", "no label before"),
        ({"labels": KICK, "paragraphs": "kick one kicks."}, "line 1", EXPECTED),
        ({"labels": KICK, "synonyms": "kick Hit, strike"}, "line 1", EXPECTED),
        ({"labels": KICK, "parts": "kick a ball 1;2;3;4;5;6"}, "line 1", EXPECTED),
        ({"synonyms": "a,b\nc,d", "parts": "\nc;1;2;3;4;5;6"}, "ts.txt, line 2", "'a'"),
        ({"labels": KICK, "synonyms": "kick,hit"}, "line 1", "ends before the label"),
        ({"labels": "a", "synonyms": "a,b\nc,d"}, "s.txt, line 2", "is the last"),
        ({"labels": "row\nwave\n\nRow"}, "labels.txt, line 4", "'Row' is at"),
        ({"labels": "row;1;2;3;4;5;6"}, "labels.txt, line 1", "is it for --synonyms"),
        ({"parts": " \n"}, "parts.txt", "is empty"),
        ({"synonyms": "row\tpaddle\nwave\tgreet"}, "line 1", "has tabs"),
    ],
)
def test_bad_files(
    run: Run, contents: dict[str, str], where: str, problem: str
) -> None:
    error = run(contents, status=1)
    assert where in error and problem in error


def test_files_that_cannot_be_used(tmp_path: Path, capsys: Printed) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    options = ["--dataset", "x", "--out", str(tmp_path / "out.yaml")]
    for name in ("latin.txt", "gone.txt"):
        labels = ["--labels", str(tmp_path / name)]
        assert main([*options, *labels]) == 1
        assert name in capsys.readouterr().err
    for out in (tmp_path / "gone.txt", tmp_path):
        with pytest.raises(SystemExit):
            main([*options, *labels, "--out", str(out)])
