"""The journal of answers: none that was paid for is lost, or asked for twice."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from gap_mmaction.utils.files import parse_json, sync_folder, try_lock

from .prompts import Question

_HEADER = b'{"journal": "gap-generation/1"}\n'


class GenerationError(RuntimeError):
    """No more answers can be had; the message says why and what to do."""


@dataclass(frozen=True)
class Answer:
    """What a model answered, and when (UTC, ISO 8601)."""

    question: Question
    text: str  # as it came
    cut_off: bool = False  # at the limit of tokens
    served_model: str = ""  # by its own account
    tokens_in: int | None = None
    tokens_out: int | None = None
    time: str = field(
        default_factory=lambda: datetime.now(timezone.utc).isoformat(timespec="seconds")
    )

    def to_line(self) -> bytes:
        """Writes it as a line of JSON, in ASCII: no text can fail to be encoded."""
        content = asdict(self)
        content = {**content.pop("question"), "answer": content.pop("text"), **content}
        return json.dumps(content).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Answer:
        """Reads it again; a ValueError says that the line is no answer."""
        content = parse_json(line)
        try:
            question = Question(**{f.name: content[f.name] for f in fields(Question)})
            content = {**content, "question": question, "text": content["answer"]}
            answer = cls(**{f.name: content[f.name] for f in fields(cls)})
            hash(question)  # a field of a wrong type
            if not isinstance(answer.text, str):
                raise TypeError("an 'answer' that is no text")
            return answer
        except (KeyError, TypeError) as error:
            raise ValueError(f"no object with {error}") from None


Answers = dict[Question, list[Answer]]
"""The answers to every question, the newest last."""


@dataclass
class Journal:
    """A file that only ever grows: its format, then an :class:`Answer` in each line."""

    path: Path
    stream: BinaryIO
    answers: Answers
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def append(self, answer: Answer) -> None:
        """Keeps an answer; it is on the disk when this returns. Threads may call it.

        The GenerationError of a disk that takes no more holds the answer.
        """
        with self._lock:
            try:
                _write(self.stream, answer.to_line())
            except OSError as error:
                raise GenerationError(
                    f"{self.path}: cannot be written ({error}). The answer that is not "
                    f"in it, to {answer.question.prompt!r}: {answer.text!r}"
                ) from error
            self.answers.setdefault(answer.question, []).append(answer)


@contextmanager
def open_journal(path: Path) -> Iterator[Journal]:
    """Opens a journal, one run at a time; it is made if it is not there.

    A last line that a crash cut off is removed. A file that is no journal, damaged, or
    in use is a ValueError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Unbuffered: what could not be written is not written later by accident.
    with open(path, "a+b", buffering=0) as stream:
        if not try_lock(stream):
            raise ValueError(
                f"{path}: another run has this journal open; wait for it, or give this "
                "one a --journal of its own"
            )
        stream.seek(0)
        data = stream.read()
        answers, whole = _read(path, data)
        if whole < len(data):
            stream.truncate(whole)
            print(f"{path}: dropped a last line that a crash had cut off", flush=True)
        if not whole:
            _write(stream, _HEADER)
            sync_folder(path.parent)
        elif data[whole - 1 : whole] != b"\n":
            _write(stream, b"\n")  # the crash took nothing but the end of the line
        yield Journal(path, stream, answers)


def read_journal(path: Path) -> Answers:
    """Reads a journal that may be in use; one that is not there holds nothing."""
    return _read(path, path.read_bytes())[0] if path.exists() else {}


def _read(path: Path, data: bytes) -> tuple[Answers, int]:
    """Reads the answers, and counts the bytes up to a line that was cut off."""
    if _HEADER.startswith(data) and data != _HEADER:
        return {}, 0  # a crash at the very beginning
    if not data.startswith(_HEADER):
        raise ValueError(
            f"{path}: this is no journal of tools/generate_descriptions.py; give "
            "--journal another name"
        )
    answers: Answers = {}
    for number, line in enumerate(data.splitlines(keepends=True)[1:], start=2):
        try:
            answer = Answer.from_line(line)
        except ValueError as error:
            if not line.endswith(b"\n"):
                return answers, len(data) - len(line)
            raise ValueError(
                f"{path}, line {number}: this is no answer ({error}). The journal is "
                "damaged; move the line elsewhere, its question is then asked anew"
            ) from None
        answers.setdefault(answer.question, []).append(answer)
    return answers, len(data)


def _write(stream: BinaryIO, data: bytes) -> None:
    start = stream.seek(0, os.SEEK_END)
    try:
        while data:
            data = data[stream.write(data) :]
        os.fsync(stream.fileno())
    except OSError:
        # Half a line must not stand before the next one.
        stream.truncate(start)
        raise
