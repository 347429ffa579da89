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
from pathlib import Path
from typing import NoReturn, Union

from gap_mmaction.generation.prompts import check_one_a_line, read_lines
from gap_mmaction.models.text.descriptions import PARTS, write_descriptions
from gap_mmaction.utils.command_line import tells_errors

KINDS = ("labels", "synonyms", "paragraphs", "parts")
# Those that tell a label best come first: the others' labels must agree with them.
ORDER = ("labels", "synonyms", "parts", "paragraphs")
PART_WORD = re.compile(
    r"(?:(?:the|both|left|right)\s+)*(head|hand|arm|hip|leg|foot|feet)s?\b",
    re.IGNORECASE,
)
TAB = re.compile(r"[^;,\s] *\t+ *[^;,\s]")

Texts = dict[str, Union[str, list[str]]]


class FileReader:
    """Reads the classes of one file; ``known`` has other files' labels and places."""

    def __init__(self, kind: str, path: Path, known: dict[str, str]) -> None:
        self.kind = kind
        self.path = path
        self.known = list(known.items())
        self.labels: dict[str, str] = {}
        self.notes: list[str] = []  # for a reader to look at
        self.counts: Counter[str] = Counter()  # of what was harmless
        self.where = str(path)

    def read(self) -> list[Texts]:
        """Reads the fields of every class, but for its label."""
        lines = read_lines(self.path)
        if not lines:
            self._fail("is empty; one class a line is expected")
        if self.kind == "labels":
            check_one_a_line(self.path, lines.values())
        fields: list[Texts] = []
        for number, raw in lines.items():
            self.where = f"{self.path}, line {number}"
            text = " ".join(raw.split())
            if TAB.search(raw):
                self._fail(f"{text[:40]!r} has tabs; separate by ';' or ','")
            label, rest = self._take_label(text)
            for other, place in self.labels.items():
                if other.casefold() == label.casefold():
                    self._fail(f"{label!r} is at {place} already; rename one of both")
            self.labels[label] = self.where
            fields.append(self._read_rest(label, rest))
        if len(lines) < len(self.known):
            label, place = self.known[len(lines)]
            self._fail(f"the file ends before the label {label!r} of {place}; add it")
        return fields

    def _fail(self, problem: str) -> NoReturn:
        raise ValueError(f"{self.where}: {problem}")

    def _take_label(self, text: str) -> tuple[str, str]:
        """Splits a line into its label and what comes after it."""
        if self.kind == "labels":
            if ";" in text:
                self._fail(f"{text!r} has a ';'; is it for --synonyms or --parts?")
            return self._without_stop(text), ""
        if not self.known:
            label, found, rest = text.partition(_separator(text))
            label = label.strip()
            if not found or not label:
                self._fail(f"no label before a ';' or ',' in {text[:40]!r}; write one")
            if "," in label or ". " in label:
                self._fail(f"where does the label end in {label!r}? Give --labels")
            return label, rest
        index = len(self.labels)
        if index >= len(self.known):
            others = f"{self.known[-1][1]} is the last of the labels"
            self._fail(f"{text[:40]!r} is class {index}, {others}; remove the line")
        label, place = self.known[index]
        own, rest = text[: len(label)], text[len(label) :]
        # A line may be of another class: throw, throw up cap.
        is_of_longer = any(
            len(other) > len(label) and text.casefold().startswith(other.casefold())
            for other, _ in self.known
        )
        if own.casefold() == label.casefold() and not is_of_longer:
            if own != label:
                self.notes.append(
                    f"{self.where}: the label {own!r} is taken for {label!r}"
                )
            after = rest.lstrip()
            if not after or after[0] in ";,":
                return label, after[1:]
            if self._is_glued(rest):
                self.counts["labels without a separator after them"] += 1
                return label, after.lstrip(".: ")
        self._fail(
            f"the label {label!r} of {place} is expected, with a ';' after it; the "
            f"line starts with {text[:40]!r}"
        )

    def _is_glued(self, rest: str) -> bool:
        """Whether a sentence follows the label, and not more of a longer label."""
        sentence = rest.lstrip(".: ")
        if self.kind == "synonyms":
            return False
        if rest[0] in ".:" or sentence[:1].isupper():
            return bool(sentence)
        fields = [f for f in rest.split(_separator(rest)) if f.strip(" .")]
        is_six = not rest[0].isalnum() and len(fields) == len(PARTS)
        return self.kind == "parts" and (is_six or _part_of(sentence) == PARTS[0])

    def _read_rest(self, label: str, rest: str) -> Texts:
        if self.kind == "labels":
            return {}
        if self.kind == "paragraphs":
            if not rest.strip():
                self._fail(f"{label!r} has no paragraph; write one")
            return {"paragraph": rest.strip()}
        end = re.search(r"[;,][;,\s]*\.?$", rest)
        if end:
            self.counts["separators at the end of a line dropped"] += 1
            rest = rest[: end.start()]
        if self.kind == "parts":
            return dict(zip(PARTS, self._read_parts(rest)))
        # The paper's code draws the label, too.
        synonyms = {label.casefold(): label}
        rest = self._without_stop(rest)
        for text in map(str.strip, rest.split(_separator(rest))):
            if not text:
                self.counts["empty fields dropped"] += 1
            elif text.casefold() == label.casefold():
                continue
            elif text.casefold() in synonyms:
                self.notes.append(f"{self.where}: the second {text!r} is dropped")
            else:
                synonyms[text.casefold()] = text
        if len(synonyms) == 1:
            self._fail(f"{label!r} has no synonyms; write at least one")
        return {"synonyms": list(synonyms.values())}

    def _read_parts(self, rest: str) -> list[str]:
        separator = _separator(rest)
        fields = [field.strip() for field in rest.split(separator)]
        starts = [index for index, field in enumerate(fields) if _part_of(field)]
        in_order = tuple(_part_of(fields[index]) for index in starts) == PARTS
        if len(fields) > len(PARTS) and in_order and starts[0] == 0:
            # Sentences that were split are joined: the parts' names tell which.
            ends = [*starts[1:], len(fields)]
            fields = [f"{separator} ".join(fields[i:j]) for i, j in zip(starts, ends)]
            for field, i, j in zip(fields, starts, ends):
                if j > i + 1:
                    self.notes.append(
                        f"{self.where}: merged into one sentence: {field!r}"
                    )
        if len(fields) != len(PARTS):
            self._fail(
                f"{len(fields)} sentences after the label, expected {len(PARTS)} "
                f"({', '.join(PARTS)}); separate them by ';', start each with its "
                "part's name, or give --labels if the label has no separator"
            )
        sentences = [self._without_stop(field) for field in fields]
        for part, sentence in zip(PARTS, sentences):
            if not sentence:
                self._fail(f"the sentence of {part} is empty; write one")
            if _part_of(sentence) not in ("", part):
                told = f"the sentence of {part} starts with another: {sentence!r}"
                self.notes.append(f"{self.where}: {told}")
        return sentences

    def _without_stop(self, text: str) -> str:
        """Drops a final full stop: the texts are joined by commas later."""
        if not text.endswith(".") or text.endswith(".."):
            return text
        self.counts["final full stops dropped"] += 1
        return text[:-1].rstrip()


def _separator(text: str) -> str:
    return ";" if ";" in text else ","


def _part_of(sentence: str) -> str:
    """Returns the part that a sentence starts with; empty for none."""
    match = PART_WORD.match(sentence)
    return match[1].lower().replace("feet", "foot") if match else ""


def import_descriptions(paths: dict[str, Path]) -> tuple[list[Texts], list[str]]:
    """Reads the files of all kinds; returns classes and what was dropped or merged."""
    known: dict[str, str] = {}
    found: dict[str, list[Texts]] = {}
    notes, counts = [], []
    for kind in filter(paths.__contains__, ORDER):
        reader = FileReader(kind, paths[kind], known)
        found[kind] = reader.read()
        known = known or reader.labels
        notes += reader.notes
        counts += [f"{reader.path}: {k} ({n})" for k, n in reader.counts.items()]
    classes: list[Texts] = [{"label": label} for label in known]
    for kind in filter(found.__contains__, KINDS):
        for fields, more in zip(classes, found[kind]):
            fields.update(more)
    return classes, notes + counts


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Turn the text files of the GAP paper's repository (one class a "
        "line, fields separated by ';' or ',', label first) into a description file."
    )
    add = parser.add_argument
    add("--labels", type=Path, help="label names, one a line")
    add("--synonyms", type=Path, help="label and synonyms")
    add("--paragraphs", type=Path, help="label and a paragraph")
    add("--parts", type=Path, help=f"label and sentences of {', '.join(PARTS)}")
    add("--dataset", required=True, help="the data set's name")
    add("--out", type=Path, required=True, help="description file to write (.yaml)")
    args = parser.parse_args(argv)
    given = [getattr(args, kind) for kind in KINDS if getattr(args, kind)]
    if not given:
        parser.error("give at least one of " + ", ".join(f"--{k}" for k in KINDS))
    if args.out.suffix.lower() not in (".yaml", ".yml") or args.out.is_dir():
        parser.error(f"--out must be a file and end in .yaml, got '{args.out}'")
    if args.out.resolve() in [path.resolve() for path in given]:
        parser.error(f"--out {args.out} is read as well; give another file")
    return args


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    args = parse_args(argv)
    paths = {kind: getattr(args, kind) for kind in KINDS if getattr(args, kind)}
    classes, messages = import_descriptions(paths)
    if "labels" not in paths:
        messages.append("the labels are the lines' own; look at them, or give --labels")
    for message in messages:
        print(message, file=sys.stderr)
    sources = "\n".join(f"  {kind}: {path.name}" for kind, path in paths.items())
    header = (
        f"Imported by tools/data/import_descriptions.py for {args.dataset} from\n"
        f"{sources}\n"
        "The rights to the texts are those of the authors of these files."
    )
    write_descriptions(args.out, args.dataset, classes, header)
    print(f"{args.out}: {len(classes)} classes, fields {', '.join(classes[0])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
