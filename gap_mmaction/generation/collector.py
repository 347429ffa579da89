"""The loop that asks and keeps the answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import datetime, timezone

from .assembly import parse_record
from .backend import Backend, Reply
from .backoff import Backoff
from .errors import AnswerError, GenerationError, TemporaryError
from .journal import Journal, JournalError
from .question import Question
from .record import Record

_LONGEST_WAIT = 600.0  # seconds; a server that asks for more is better asked tomorrow


class AnswerCollector:
    """Puts questions to a model and writes each answer into the journal at once.

    Args:
        backend: The model.
        journal: An open journal.
        backoff: How often, and when, a question is put again.
        concurrency: How many questions are under way at a time.
        report: Gets a line of text for every answer and every wait.
    """

    def __init__(
        self,
        backend: Backend,
        journal: Journal,
        backoff: Backoff,
        concurrency: int = 1,
        report: Callable[[str], None] = print,
    ) -> None:
        self.backend = backend
        self.journal = journal
        self.backoff = backoff
        self.concurrency = concurrency
        self._report = report
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._under_way = 0
        self._changed = threading.Condition()
        self._done = 0
        self._total = 0

    def collect(self, questions: Sequence[Question]) -> None:
        """Ask, and return once every answer is in the journal.

        Where one question fails, or the user interrupts, no further one is put; the
        answers that are under way are waited for and kept.

        Args:
            questions: What to ask, whatever the journal holds.

        Raises:
            GenerationError: If a question cannot be answered.
        """
        self._stop.clear()
        self._done, self._total = 0, len(questions)
        # In a thread even where it is one: an interrupt reaches the main thread, and
        # a request that is being answered, and paid for, comes to its end.
        with ThreadPoolExecutor(self.concurrency) as pool:
            try:
                futures = [pool.submit(self._work, question) for question in questions]
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                self._halt()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _halt(self) -> None:
        """Let no question begin, and wait for those under way."""
        with self._changed:
            self._stop.set()
            # The pool does not wait for a thread in whose start an interrupt fell.
            self._changed.wait_for(lambda: not self._under_way)

    def _work(self, question: Question) -> None:
        with self._changed:
            if self._stop.is_set():
                return
            self._under_way += 1
        try:
            self._answer(question)
        except BaseException:
            # Here, before this thread takes the next question.
            self._stop.set()
            raise
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def _answer(self, question: Question) -> None:
        reply = self._ask(question)
        if reply is None:
            return
        time = datetime.now(timezone.utc).isoformat(timespec="seconds")
        record = Record.of(question, reply, time)
        try:
            self.journal.append(record)
        except JournalError as error:
            # Only one of several threads' errors is raised, and this has the answer.
            with self._lock:
                self._report(str(error))
            raise
        try:
            parse_record(record)
            problem = ""
        except AnswerError as error:
            problem = f": could not be parsed, {error.reason}"
        with self._lock:
            self._done += 1
            self._report(f"[{self._done}/{self._total}] {question}{problem}")

    def _ask(self, question: Question) -> Reply | None:
        """Ask until there is an answer; ``None`` if others stopped the run."""
        waits = self.backoff.waits(str(question))
        while not self._stop.is_set():
            try:
                return self.backend.ask(question)
            except TemporaryError as error:
                wait = next(waits, None)
                asked_for = error.retry_after or 0.0
                if wait is None:
                    raise GenerationError(
                        f"{question}: no answer after {self.backoff.retries + 1} "
                        f"attempts, the last one: {error}"
                    ) from None
                if asked_for > _LONGEST_WAIT:
                    raise GenerationError(
                        f"{question}: {error}; the server asks to wait for "
                        f"{asked_for:.0f} seconds"
                    ) from None
                wait = max(wait, asked_for)
                with self._lock:
                    self._report(f"{question}: {error}; again in {wait:.1f} s")
                self._stop.wait(wait)
        return None
