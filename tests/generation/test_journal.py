"""The journal, and what crashes leave of it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from gap_mmaction.generation.journal import Journal, JournalError, read_journal
from gap_mmaction.generation.question import make_questions
from gap_mmaction.generation.record import Record
from tests.generation.common import record_of

QUESTIONS = make_questions(["sit down", "\u5750\u4e0b \ud800"], "m")


def write(path: Path, count: int) -> list[Record]:
    records = [record_of(q, f"answer\n\u2028\ud800 to {q}") for q in QUESTIONS[:count]]
    with Journal(path) as journal:
        for record in records:
            journal.append(record)
    return records


def read(path: Path) -> list[Record]:
    return [record for records in read_journal(path).values() for record in records]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "journal.jsonl"
    assert read_journal(path) == {}
    records = write(path, 4)
    assert read(path) == records
    assert path.read_bytes().count(b"\n") == 1 + 4
    with Journal(path) as journal:
        assert journal.answers(records[0].key) == records[:1]
        assert journal.answers(QUESTIONS[5].key) == []
        second = record_of(QUESTIONS[0], "again")
        journal.append(second)
        assert journal.answers(second.key) == [records[0], second]
    assert read_journal(path)[second.key] == [records[0], second]


def test_on_the_disk_before_it_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    sizes = []
    fsync = os.fsync

    def spy(handle: int) -> None:
        sizes.append(path.stat().st_size)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", spy)
    with Journal(path) as journal:
        sizes.clear()
        for question in QUESTIONS[:3]:
            journal.append(record_of(question, "answer"))
            assert sizes[-1] == path.stat().st_size
    assert len(sizes) == 3


def test_cut_off_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # for speed
    path = tmp_path / "journal.jsonl"
    records = write(path, 3)
    whole = path.read_bytes()
    header, first, second, third = whole.splitlines(keepends=True)
    starts = [0, len(header), len(header + first), len(header + first + second)]
    near = {start + step for start in starts for step in range(-9, 9)}
    for size in sorted({*near, *range(0, len(whole), 29)} & {*range(len(whole))}):
        path.write_bytes(whole[:size])
        kept = sum(size >= start - 1 for start in starts[2:])
        kept += size == len(whole) - 1  # all but the end of the line
        assert read(path) == records[:kept]
        assert path.read_bytes() == whole[:size]  # reading changes nothing
        with Journal(path) as journal:
            assert (journal.cut_off > 0) == (
                size not in (0, *starts, *(s - 1 for s in starts[2:]), len(whole) - 1)
            )
            journal.append(record_of(QUESTIONS[4], "next"))
        assert path.read_bytes().startswith(
            b"".join((header, first, second, third)[: kept + 1])
        )
        assert [r.answer for r in read(path)] == [
            *(record.answer for record in records[:kept]),
            "next",
        ]


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes")
    with (
        pytest.raises(JournalError, match=r"notes\.txt: this is no journal"),
        Journal(path),
    ):
        pass
    with pytest.raises(JournalError, match=r"notes\.txt: this is no journal"):
        read_journal(path)
    assert path.read_text() == "my notes"


@pytest.mark.parametrize(
    "line", [b"{", b"\xff", b"5", b"{}", b'{"label": "a"}', b"\x00\x00"]
)
def test_damage_in_the_middle(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    write(path, 3)
    lines = path.read_bytes().split(b"\n")
    damaged = b"\n".join([*lines[:2], line, *lines[2:]])
    path.write_bytes(damaged)
    for use in (lambda: Journal(path).__enter__(), lambda: read_journal(path)):
        with pytest.raises(JournalError, match=r"journal\.jsonl, line 3: .*damaged"):
            use()
    assert path.read_bytes() == damaged


def test_one_run_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "journal.jsonl"
    with (
        Journal(path),
        pytest.raises(JournalError, match="another run"),
        Journal(path),
    ):
        pass
    with Journal(path):
        pass


def test_full_disk_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    records = write(path, 1)

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with Journal(path) as journal:
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(JournalError, match=r"No space .*'precious'"):
                journal.append(record_of(QUESTIONS[1], "precious"))
        assert read(path) == records
        journal.append(record_of(QUESTIONS[2], "later"))
    assert [record.answer for record in read(path)][1:] == ["later"]


def test_threads(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    questions = make_questions([f"label {i}" for i in range(8)], "m")

    with Journal(path) as journal:

        def work(start: int) -> None:
            for question in questions[start::4]:
                journal.append(record_of(question, 50 * "long "))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert {record.key for record in read(path)} == {q.key for q in questions}


def test_must_be_open(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    with pytest.raises(JournalError, match="not open"):
        journal.append(record_of(QUESTIONS[0], "answer"))
