#!/usr/bin/env python
"""Turn the text files of the GAP paper's repository into a description file.

Example: ``python tools/data/import_descriptions.py --labels labels.txt
--synonyms synonyms.txt --parts parts.txt --dataset NTU --out mine.yaml``
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

from gap_mmaction.generation.labels import check_one_a_line
from gap_mmaction.models.text.descriptions import PARTS, write_descriptions

KINDS = ("labels", "synonyms", "paragraphs", "parts")
# Those that tell a label best come first: the others' labels must agree with them.
ORDER = ("labels", "synonyms", "parts", "paragraphs")
PART_WORD = re.compile(
    r"(?:(?:the|both|left|right)\s+)*(head|hand|arm|hip|leg|foot|feet)s?\b",
    re.IGNORECASE,
)
SEPARATORS = ";,"
TAB = re.compile(r"[^;,\s] *\t+ *[^;,\s]")

Texts = dict[str, Union[str, list[str]]]


class ImportFileError(ValueError):
    """A file that cannot be imported; the message names file, line and remedy."""


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes:
        path: The file.
        number: Counted from 1.
        text: Its words, one blank between them.
    """

    path: Path
    number: int
    text: str

    @property
    def where(self) -> str:
        """File and line, for messages."""
        return f"{self.path}, line {self.number}"


class Report:
    """What was dropped or merged."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.counts: Counter[tuple[Path, str]] = Counter()

    def note(self, line: Line, what: str) -> None:
        """Tell of something that a reader should look at."""
        self.notes.append(f"{line.where}: {what}")

    def count(self, line: Line, what: str) -> None:
        """Tell how often something harmless was done."""
        self.counts[line.path, what] += 1

    def lines(self) -> list[str]:
        """Return all of it, one message each."""
        counted = [f"{path}: {what} ({n})" for (path, what), n in self.counts.items()]
        return self.notes + counted


def read_lines(path: Path) -> list[Line]:
    """Read the lines of a file that are not empty."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(
            f"there is no file {str(path)!r}; give the place of the repository's file"
        ) from None
    except UnicodeDecodeError as error:
        raise ImportFileError(
            f"{path} is no UTF-8 text, save it as such: {error}"
        ) from error
    lines = [
        Line(path, number, " ".join(content.split()))
        for number, content in enumerate(text.split("\n"), start=1)
        if content.strip()
    ]
    if not lines:
        raise ImportFileError(f"{path} is empty; one class a line is expected")
    for number, content in enumerate(text.split("\n"), start=1):
        if TAB.search(content):
            raise ImportFileError(
                f"{path}, line {number}: {_start(' '.join(content.split()))!r} is "
                "separated by tabs; separate by ';' or ','"
            )
    return lines


class FileReader:
    """Reads the classes of one file.

    Args:
        kind: One of ``KINDS``.
        known: The labels, where another file has given them, with its lines.
        report: Told what is dropped or merged.
    """

    def __init__(
        self, kind: str, known: Sequence[tuple[str, Line]] | None, report: Report
    ) -> None:
        self.kind = kind
        self.known = known
        self.report = report

    def read(self, lines: Sequence[Line]) -> tuple[list[str], list[Texts]]:
        """Read every line.

        Args:
            lines: Those of the file that are not empty.

        Returns:
            The labels, and for each its other fields.

        Raises:
            ImportFileError: If a line cannot be understood.
        """
        labels: list[str] = []
        fields: list[Texts] = []
        seen: dict[str, Line] = {}
        for index, line in enumerate(lines):
            label, rest = self._take_label(index, line)
            if _key(label) in seen:
                raise ImportFileError(
                    f"{line.where}: the label {label!r} stands in line "
                    f"{seen[_key(label)].number} already; rename one of both"
                )
            seen[_key(label)] = line
            labels.append(label)
            fields.append(self._read_rest(line, label, rest))
        if self.known is not None and len(lines) < len(self.known):
            label, other = self.known[len(lines)]
            raise ImportFileError(
                f"{lines[-1].where}: the file ends before the label {label!r} of "
                f"{other.where}; add its line, or give files of the same classes"
            )
        return labels, fields

    def _take_label(self, index: int, line: Line) -> tuple[str, str]:
        """Split a line into its label and what comes after it."""
        if self.kind == "labels":
            if ";" in line.text:
                raise ImportFileError(
                    f"{line.where}: {line.text!r} has a ';', a list of labels has one "
                    "name a line; is it the file for --synonyms, --parts or "
                    "--paragraphs?"
                )
            return self._without_stop(line, line.text), ""
        if self.known is None:
            return self._guess_label(line)
        if index >= len(self.known):
            raise ImportFileError(
                f"{line.where}: {_start(line.text)!r} is class {index}, "
                f"{self.known[0][1].path} has {len(self.known)} classes only; remove "
                "the line, or give files of the same classes"
            )
        label, other = self.known[index]
        own, rest = line.text[: len(label)], line.text[len(label) :]
        if _key(own) == _key(label) and not self._is_of_longer(label, line):
            if own != label:
                self.report.note(line, f"the label {own!r} is taken for {label!r}")
            after = rest.lstrip()
            if not after or after[0] in SEPARATORS:
                return label, after[1:]
            if self._is_glued(rest):
                self.report.count(line, "labels without a separator after them")
                return label, after.lstrip(".: ")
        raise ImportFileError(
            f"{line.where}: the label {label!r} of {other.where} is expected, the line "
            f"starts with {_start(line.text)!r}; make the labels and their order "
            "agree, and put a ';' after the label"
        )

    def _is_glued(self, rest: str) -> bool:
        """Tell whether a sentence follows the label, and not more of a longer label."""
        if self.kind == "synonyms":
            return False
        sentence = rest.lstrip(".: ")
        if rest[0] in ".:" or sentence[:1].isupper():
            return bool(sentence)
        if self.kind != "parts":
            return False
        if _part_of(sentence) == PARTS[0]:
            return True
        return not rest[0].isalnum() and len(_split(rest)) == len(PARTS)

    def _is_of_longer(self, label: str, line: Line) -> bool:
        """Tell whether the line is of another class: throw, throw up cap."""
        start = _key(line.text)
        return any(
            len(other) > len(label) and start.startswith(_key(other))
            for other, _ in self.known or ()
        )

    def _guess_label(self, line: Line) -> tuple[str, str]:
        """Take what stands before the first separator."""
        separator = _separator(line.text)
        label, found, rest = line.text.partition(separator)
        label = label.strip()
        if not found or not label:
            raise ImportFileError(
                f"{line.where}: there is no label before a ';' or ',' in "
                f"{_start(line.text)!r}; write one, or give the names with --labels"
            )
        if "," in label or ". " in label:
            raise ImportFileError(
                f"{line.where}: it cannot be told where the label ends in {label!r}; "
                "give the names with --labels"
            )
        return label, rest

    def _read_rest(self, line: Line, label: str, rest: str) -> Texts:
        if self.kind == "labels":
            return {}
        if self.kind == "paragraphs":
            if not rest.strip():
                raise ImportFileError(
                    f"{line.where}: {label!r} has no paragraph; write one"
                )
            return {"paragraph": rest.strip()}
        end = re.search(r"[;,][;,\s]*\.?$", rest)
        if end:
            self.report.count(line, "separators at the end of a line dropped")
            rest = rest[: end.start()]
        if self.kind == "synonyms":
            return {"synonyms": self._read_synonyms(line, label, rest)}
        return dict(zip(PARTS, self._read_parts(line, rest)))

    def _read_synonyms(self, line: Line, label: str, rest: str) -> list[str]:
        rest = self._without_stop(line, rest)
        synonyms: dict[str, str] = {}
        for piece in rest.split(_separator(rest)) if rest.strip() else ():
            text = piece.strip()
            if not text:
                self.report.count(line, "empty fields dropped")
            elif _key(text) in synonyms:
                self.report.note(line, f"the second {text!r} is dropped")
            else:
                synonyms[_key(text)] = text
        if not synonyms:
            raise ImportFileError(
                f"{line.where}: {label!r} has no synonyms; write at least one"
            )
        return list(synonyms.values())

    def _read_parts(self, line: Line, rest: str) -> list[str]:
        separator = _separator(rest)
        fields = [field.strip() for field in rest.split(separator)]
        if len(fields) > len(PARTS):
            fields = self._merge(line, fields, separator)
        if len(fields) != len(PARTS):
            remedy = "write them"
            if len(fields) > len(PARTS):
                remedy = (
                    "separate the sentences by ';', or start each with its part's name"
                )
            elif self.known is None:
                remedy += ", or, if a label has no separator after it, give --labels"
            raise ImportFileError(
                f"{line.where}: {len(fields)} sentences after the label, expected "
                f"{len(PARTS)} ({', '.join(PARTS)}), separated by {separator!r}; "
                f"{remedy}"
            )
        sentences = []
        for part, field in zip(PARTS, fields):
            sentence = self._without_stop(line, field)
            if not sentence:
                raise ImportFileError(
                    f"{line.where}: the sentence of {part} is empty; write one"
                )
            named = _part_of(sentence)
            if named not in (None, part):
                self.report.note(
                    line,
                    f"the sentence of {part} starts with another part: {sentence!r}; "
                    f"the order must be {', '.join(PARTS)}",
                )
            sentences.append(sentence)
        return sentences

    def _merge(self, line: Line, fields: list[str], separator: str) -> list[str]:
        """Join sentences that were split, where the parts' names tell which."""
        starts = [index for index, field in enumerate(fields) if _part_of(field)]
        if starts[:1] != [0] or tuple(_part_of(fields[i]) for i in starts) != PARTS:
            return fields
        merged = []
        for start, end in zip(starts, [*starts[1:], len(fields)]):
            merged.append(f"{separator} ".join(fields[start:end]))
            if end > start + 1:
                self.report.note(line, f"merged into one sentence: {merged[-1]!r}")
        return merged

    def _without_stop(self, line: Line, text: str) -> str:
        """Drop a final full stop: the texts are joined by commas later."""
        if not text.endswith(".") or text.endswith(".."):
            return text
        self.report.count(line, "final full stops dropped")
        return text[:-1].rstrip()


def _key(label: str) -> str:
    return label.strip().casefold()


def _start(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}..."


def _separator(text: str) -> str:
    return ";" if ";" in text else ","


def _split(rest: str) -> list[str]:
    return [field for field in rest.split(_separator(rest)) if field.strip(" .")]


def _part_of(sentence: str) -> str | None:
    """Return the part that a sentence starts with."""
    match = PART_WORD.match(sentence)
    if match is None:
        return None
    return match[1].lower().replace("feet", "foot")


def import_descriptions(paths: dict[str, Path], report: Report) -> list[Texts]:
    """Read the files and bring them together.

    Args:
        paths: The file of each kind that is given.
        report: Told what is dropped or merged.

    Returns:
        The classes, as ``write_descriptions`` takes them.

    Raises:
        FileNotFoundError: If a file is not there.
        ImportFileError: If a file cannot be understood or disagrees with another.
    """
    known: list[tuple[str, Line]] | None = None
    found: dict[str, list[Texts]] = {}
    for kind in ORDER:
        if kind not in paths:
            continue
        lines = read_lines(paths[kind])
        if kind == "labels":
            check_one_a_line([line.text for line in lines], str(paths[kind]))
        labels, found[kind] = FileReader(kind, known, report).read(lines)
        if known is None:
            known = list(zip(labels, lines))
    classes = []
    for index, (label, _) in enumerate(known or ()):
        fields: Texts = {"label": label}
        for kind in KINDS:
            if kind in found:
                fields.update(found[kind][index])
        classes.append(fields)
    return classes


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The arguments.
    """
    parser = argparse.ArgumentParser(
        description="Turn the text files of the GAP paper's repository (one class a "
        "line, fields separated by ';' or ',', label first) into a description file."
    )
    parser.add_argument("--labels", type=Path, help="label names, one a line")
    parser.add_argument("--synonyms", type=Path, help="label and synonyms")
    parser.add_argument("--paragraphs", type=Path, help="label and a paragraph")
    parser.add_argument(
        "--parts", type=Path, help=f"label and sentences of {', '.join(PARTS)}"
    )
    parser.add_argument("--dataset", required=True, help="the data set's name")
    parser.add_argument(
        "--out", type=Path, required=True, help="description file to write (.yaml)"
    )
    args = parser.parse_args(argv)
    given = [getattr(args, kind) for kind in KINDS if getattr(args, kind)]
    if not given:
        parser.error("give at least one of " + ", ".join(f"--{k}" for k in KINDS))
    if args.out.suffix.lower() not in (".yaml", ".yml") or args.out.is_dir():
        parser.error(f"--out must be a file and end in .yaml, got '{args.out}'")
    if args.out.resolve() in [path.resolve() for path in given]:
        parser.error(f"--out {args.out} is read as well; give another file")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The exit status: 0, or 1 where a file is missing or cannot be understood.
    """
    args = parse_args(argv)
    paths = {kind: getattr(args, kind) for kind in KINDS if getattr(args, kind)}
    report = Report()
    try:
        classes = import_descriptions(paths, report)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for message in report.lines():
        print(message, file=sys.stderr)
    if "labels" not in paths:
        print(
            "the labels are those of the texts' own lines; look at them, or give "
            "--labels",
            file=sys.stderr,
        )
    sources = "\n".join(f"  {kind}: {path.name}" for kind, path in paths.items())
    header = (
        f"Imported by tools/data/import_descriptions.py for {args.dataset} from\n"
        f"{sources}\n"
        "The rights to the texts are those of the authors of these files."
    )
    try:
        write_descriptions(args.out, args.dataset, classes, header)
    except OSError as error:
        print(f"error: {args.out} cannot be written: {error}", file=sys.stderr)
        return 1
    print(f"{args.out}: {len(classes)} classes, fields {', '.join(classes[0])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
