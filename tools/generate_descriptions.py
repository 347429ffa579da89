#!/usr/bin/env python
"""Have a language model describe actions, with the three prompts of the paper.

Example: ``python tools/generate_descriptions.py --labels labels.txt --out mine.yaml
--model MODEL --base-url http://localhost:8000/v1``
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from gap_mmaction.generation.assembly import Assembly, assemble, best_answer
from gap_mmaction.generation.backend import Backend
from gap_mmaction.generation.backoff import Backoff
from gap_mmaction.generation.chat_backend import KEY_VARIABLE, ChatBackend
from gap_mmaction.generation.collector import AnswerCollector
from gap_mmaction.generation.errors import AnswerError, GenerationError
from gap_mmaction.generation.estimate import Estimate
from gap_mmaction.generation.header import make_header
from gap_mmaction.generation.journal import Journal, read_journal
from gap_mmaction.generation.labels import read_labels
from gap_mmaction.generation.local_backend import LocalBackend
from gap_mmaction.generation.question import Question, make_questions
from gap_mmaction.generation.record import Record
from gap_mmaction.generation.review import review
from gap_mmaction.models.text.descriptions import write_descriptions
from gap_mmaction.utils.argument_types import (
    count,
    natural,
    not_negative,
    positive,
)
from gap_mmaction.utils.paths import name_of_model

MOST_REMARKS = 20
LONGEST_ANSWER = 300  # letters of an answer that could not be parsed, on the screen


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The arguments.
    """
    parser = argparse.ArgumentParser(
        description="Have a language model describe actions, with the three prompts "
        "of the GAP paper. Every answer is kept in a journal at once; the same command "
        f"goes on where it was stopped. The key is read from {KEY_VARIABLE}."
    )
    parser.add_argument(
        "--labels",
        type=Path,
        required=True,
        help="the actions: a text file with one a line, or a description file (.yaml)",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="description file to write (.yaml)"
    )
    parser.add_argument("--dataset", help="name of the data set (default: OUT's name)")
    parser.add_argument(
        "--journal",
        type=Path,
        help="where answers are kept (default: OUT.journal.jsonl)",
    )
    model = parser.add_argument_group("model")
    model.add_argument(
        "--backend",
        choices=("openai", "transformers"),
        default="openai",
        help="a server that speaks OpenAI's protocol (the default), or a local model",
    )
    model.add_argument(
        "--model", required=True, help="its name, or a local model's folder"
    )
    model.add_argument("--base-url", help="address of the server, if not OpenAI's own")
    model.add_argument(
        "--system", default="", help="what to tell the model before each prompt"
    )
    model.add_argument(
        "--temperature", type=not_negative, help="default: the model's own"
    )
    model.add_argument(
        "--max-tokens",
        type=count,
        help="tokens of an answer (default: the server's limit; 512 for a local model)",
    )
    model.add_argument(
        "--n", type=count, default=1, help="answers to each prompt (default: 1)"
    )
    asking = parser.add_argument_group("asking")
    asking.add_argument(
        "--timeout", type=positive, default=120.0, help="seconds for one answer"
    )
    asking.add_argument(
        "--max-retries",
        type=natural,
        default=6,
        help="how often a question is put again after a temporary failure (default: 6)",
    )
    asking.add_argument(
        "--retry-delay",
        type=not_negative,
        default=1.0,
        help="seconds before the first time, doubled each time (default: 1)",
    )
    asking.add_argument(
        "--concurrency", type=count, default=1, help="questions at a time (default: 1)"
    )
    asking.add_argument(
        "--seed", type=int, default=0, help="of waits, and of a local model's answers"
    )
    asking.add_argument(
        "--retry-unparsed",
        action="store_true",
        help="ask anew what was answered in a way that could not be parsed",
    )
    dry = parser.add_argument_group("dry run")
    dry.add_argument(
        "--dry-run", action="store_true", help="show prompts and costs, ask nothing"
    )
    for name in ("in", "out"):
        dry.add_argument(
            f"--price-{name}",
            type=not_negative,
            metavar="PRICE",
            help=f"price of a million tokens {name}, for the estimate",
        )
    args = parser.parse_args(argv)
    _check_args(parser, args)
    return args


def _check_args(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    if args.out.suffix.lower() not in (".yaml", ".yml") or args.out.is_dir():
        parser.error(f"--out must be a file and end in .yaml, got '{args.out}'")
    if args.journal is None:
        args.journal = args.out.with_name(f"{args.out.name}.journal.jsonl")
    files = [path.resolve() for path in (args.labels, args.out, args.journal)]
    if len(set(files)) < len(files):
        parser.error("--labels, --out and --journal must be three different files")
    if (args.price_in is None) != (args.price_out is None):
        parser.error("--price-in and --price-out go together")
    if args.n > 1 and args.temperature == 0:
        parser.error("--n above 1 needs a --temperature above 0: all would be the same")
    if args.backend == "transformers":
        if args.base_url:
            parser.error("--base-url goes with --backend openai")
        if args.concurrency > 1:
            parser.error("a local model answers one question at a time: --concurrency")
    args.dataset = args.dataset or args.out.stem


def to_ask(
    questions: Sequence[Question],
    answers: dict[Question, list[Record]],
    unparsed: bool,
) -> list[Question]:
    """List the questions without an answer.

    Args:
        questions: All there are.
        answers: What the journal holds of each.
        unparsed: Whether those count whose answers cannot be parsed.
    """
    return [
        question
        for question in questions
        if not answers[question] or (unparsed and not _is_parsed(answers[question]))
    ]


def _is_parsed(records: list[Record]) -> bool:
    try:
        best_answer(records)
    except AnswerError:
        return False
    return True


def show_plan(args: argparse.Namespace, questions: Sequence[Question]) -> None:
    """Print what would be asked."""
    known = read_journal(args.journal)
    answers = {question: known.get(question.key, []) for question in questions}
    pending = to_ask(questions, answers, args.retry_unparsed)
    if args.system:
        print(f"system message: {args.system}")
    for question in pending:
        print(f"{question}: {question.prompt}")
    estimate = Estimate.of(pending)
    labels = {question.label for question in questions}
    print(
        f"{len(labels)} labels, {len(questions)} questions: "
        f"{len(questions) - len(pending)} in {args.journal}, {len(pending)} to ask"
    )
    print(
        f"estimate: {estimate.tokens_in:,} tokens in, {estimate.tokens_out:,} tokens "
        "out (a model that thinks aloud uses many more)"
    )
    if args.price_in is None:
        print("give --price-in and --price-out, per million tokens, for the cost")
    else:
        print(f"estimated cost: {estimate.cost(args.price_in, args.price_out):.4f}")


def make_backend(args: argparse.Namespace) -> Backend:
    """Build what the command line asks for."""
    if args.backend == "transformers":
        return LocalBackend(args.model, args.temperature, args.max_tokens, args.seed)
    return ChatBackend(
        args.model, args.base_url, args.temperature, args.timeout, args.max_tokens
    )


def generate(args: argparse.Namespace, questions: Sequence[Question]) -> Assembly:
    """Ask what the journal lacks and put the answers together."""
    with Journal(args.journal) as journal:
        if journal.cut_off:
            print(f"{args.journal}: dropped a last line that a crash had cut off")
        answers = {question: journal.answers(question.key) for question in questions}
        pending = to_ask(questions, answers, args.retry_unparsed)
        print(f"{len(questions) - len(pending)} answers in {args.journal}")
        if pending:
            backoff = Backoff(args.max_retries, args.retry_delay, seed=args.seed)
            backend = make_backend(args)
            collector = AnswerCollector(
                backend, journal, backoff, args.concurrency, _print_now
            )
            collector.collect(pending)
        answers = {question: journal.answers(question.key) for question in questions}
    return assemble(questions, answers)


def _print_now(line: str) -> None:
    print(line, flush=True)


def report(assembly: Assembly) -> None:
    """Print what is to be looked at."""
    remarks = review(assembly.classes)
    for remark in remarks[:MOST_REMARKS]:
        print(f"look at {remark}")
    if len(remarks) > MOST_REMARKS:
        print(f"and {len(remarks) - MOST_REMARKS} more of the kind")
    for question, error in assembly.failures:
        answer = " ".join(error.answer.split())
        if len(answer) > LONGEST_ANSWER:
            answer = f"{answer[:LONGEST_ANSWER]} ..."
        print(
            f"could not be parsed: {question}: {error.reason}: {answer!r}",
            file=sys.stderr,
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Args:
        argv: Arguments, those of the process by default.

    Returns:
        The exit status: 0, or 1 where answers are missing or could not be parsed.
    """
    args = parse_args(argv)
    name = name_of_model(args.model) if args.backend == "transformers" else args.model
    try:
        labels = read_labels(args.labels)
        questions = make_questions(labels, name, args.n, args.system)
        if args.dry_run:
            show_plan(args, questions)
            return 0
        assembly = generate(args, questions)
        header = make_header(args.dataset, name, args.n, args.system, assembly)
        write_descriptions(args.out, args.dataset, assembly.classes, header)
    except KeyboardInterrupt:
        print(
            f"\nstopped; {args.journal} has all answers so far, the same command goes "
            "on from there",
            file=sys.stderr,
        )
        return 130
    except GenerationError as error:
        print(f"error: {error}\n{args.out} is not written.", file=sys.stderr)
        if read_journal(args.journal):
            print(
                f"{args.journal} has all answers so far, the same command goes on from "
                "there",
                file=sys.stderr,
            )
        return 1
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    report(assembly)
    print(f"written: {args.out}")
    if not assembly.failures:
        return 0
    lacking = len(assembly.missing())
    print(
        f"{len(assembly.failures)} answers could not be parsed, {lacking} classes are "
        f"incomplete; the answers are in {args.journal}, --retry-unparsed asks anew",
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
