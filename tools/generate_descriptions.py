#!/usr/bin/env python
"""Have a language model describe actions, with the three prompts of the paper.

Example: ``python tools/generate_descriptions.py --labels labels.txt --out mine.yaml
--model MODEL --base-url http://localhost:8000/v1``
"""

from __future__ import annotations

import argparse
import functools
import logging
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from gap_mmaction.generation.assembly import Assembly, assemble, make_header, review
from gap_mmaction.generation.journal import (
    Answers,
    GenerationError,
    open_journal,
    read_journal,
)
from gap_mmaction.generation.language_models import (
    KEY_VARIABLE,
    ChatModel,
    LanguageModel,
    LocalModel,
    collect_answers,
)
from gap_mmaction.generation.prompts import (
    Question,
    estimate_tokens,
    make_questions,
    read_labels,
)
from gap_mmaction.models.text.descriptions import write_descriptions
from gap_mmaction.utils.command_line import (
    count,
    natural,
    not_negative,
    positive,
    tells_errors,
)
from gap_mmaction.utils.files import name_of_model

MOST_REMARKS = 20
LONGEST_ANSWER = 300  # letters of an answer that could not be parsed, on the screen


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Have a language model describe actions, with the three prompts "
        "of the GAP paper. Every answer is kept in a journal at once; the same command "
        f"goes on where it was stopped. The key is read from {KEY_VARIABLE}."
    )
    add = parser.add_argument
    labels = "the actions: a text file with one a line, or a description file (.yaml)"
    add("--labels", type=Path, required=True, help=labels)
    add("--out", type=Path, required=True, help="description file to write (.yaml)")
    add("--dataset", help="name of the data set (default: OUT's name)")
    add("--journal", type=Path, help="file of answers (default: OUT.journal.jsonl)")
    add = parser.add_argument_group("model").add_argument
    backend = "a server that speaks OpenAI's protocol (the default), or a local model"
    backends = ("openai", "transformers")
    add("--backend", choices=backends, default=backends[0], help=backend)
    add("--model", required=True, help="its name, or a local model's folder")
    add("--base-url", help="address of the server, if not OpenAI's own")
    add("--system", default="", help="what to tell the model before each prompt")
    add("--temperature", type=not_negative, help="default: the model's own")
    limit = "tokens of an answer (default: the server's limit; 512 for a local model)"
    add("--max-tokens", type=count, help=limit)
    add("--n", type=count, default=1, help="answers to each prompt (default: 1)")
    add = parser.add_argument_group("asking").add_argument
    add("--timeout", type=positive, default=120.0, help="seconds for one answer")
    retries = "how often to ask again after a temporary failure (default: 6)"
    add("--max-retries", type=natural, default=6, help=retries)
    delay = "seconds before the first time, doubled each time (default: 1)"
    add("--retry-delay", type=not_negative, default=1.0, help=delay)
    add("--concurrency", type=count, default=1, help="questions at a time (default: 1)")
    add("--seed", type=int, default=0, help="of a local model's answers")
    unparsed = "ask anew what was answered in a way that could not be parsed"
    add("--retry-unparsed", action="store_true", help=unparsed)
    add = parser.add_argument_group("dry run").add_argument
    add("--dry-run", action="store_true", help="show prompts and costs, ask nothing")
    for name in ("in", "out"):
        price = f"price of a million tokens {name}, for the estimate"
        add(f"--price-{name}", type=not_negative, metavar="PRICE", help=price)
    args = parser.parse_args(argv)
    if args.out.suffix.lower() not in (".yaml", ".yml") or args.out.is_dir():
        parser.error(f"--out must be a file and end in .yaml, got '{args.out}'")
    args.journal = args.journal or args.out.with_name(f"{args.out.name}.journal.jsonl")
    if len({path.resolve() for path in (args.labels, args.out, args.journal)}) < 3:
        parser.error("--labels, --out and --journal must be three different files")
    if (args.price_in is None) != (args.price_out is None):
        parser.error("--price-in and --price-out go together")
    if args.n > 1 and args.temperature == 0:
        parser.error("--n above 1 needs a --temperature above 0: all would be the same")
    if args.backend == "transformers" and args.base_url:
        parser.error("--base-url goes with --backend openai")
    if args.backend == "transformers" and args.concurrency > 1:
        parser.error("a local model answers one question at a time: --concurrency")
    args.dataset = args.dataset or args.out.stem
    return args


def to_ask(
    questions: Sequence[Question], answers: Answers, unparsed: bool
) -> list[Question]:
    """Lists the questions without an answer, or (``unparsed``) without a good one."""
    answered = {*questions} & answers.keys()
    if unparsed:
        answered = {one.question for one in assemble(answered, answers).used}
    return [question for question in questions if question not in answered]


def show_plan(args: argparse.Namespace, questions: Sequence[Question]) -> None:
    pending = to_ask(questions, read_journal(args.journal), args.retry_unparsed)
    if args.system:
        print(f"system message: {args.system}")
    for question in pending:
        print(f"{question}: {question.prompt}")
    labels = {question.label for question in questions}
    print(
        f"{len(labels)} labels, {len(questions)} questions: "
        f"{len(questions) - len(pending)} in {args.journal}, {len(pending)} to ask"
    )
    tokens_in, tokens_out = estimate_tokens(pending)
    print(f"estimate: {tokens_in:,} tokens in, {tokens_out:,} tokens out")
    print("(a model that thinks aloud uses many more)")
    if args.price_in is None:
        print("give --price-in and --price-out, per million tokens, for the cost")
    else:
        cost = (tokens_in * args.price_in + tokens_out * args.price_out) / 1e6
        print(f"estimated cost: {cost:.4f}")


def make_model(args: argparse.Namespace) -> LanguageModel:
    if args.backend == "transformers":
        return LocalModel(args.model, args.temperature, args.max_tokens, args.seed)
    # The client tells of its waits.
    logging.basicConfig(format="%(message)s")
    logging.getLogger("openai").setLevel(logging.INFO)
    names = ("timeout", "max_retries", "retry_delay", "temperature", "max_tokens")
    options = {name: getattr(args, name) for name in names}
    return ChatModel(args.model, args.base_url, **options)


def generate(args: argparse.Namespace, questions: Sequence[Question]) -> Assembly:
    with open_journal(args.journal) as journal:
        pending = to_ask(questions, journal.answers, args.retry_unparsed)
        print(f"{len(questions) - len(pending)} answers in {args.journal}")
        if pending:
            model = make_model(args)
            tell = functools.partial(print, flush=True)
            collect_answers(model, journal, pending, args.concurrency, tell)
        return assemble(questions, journal.answers)


def _complain(line: str) -> None:
    print(line, file=sys.stderr)


def report(assembly: Assembly) -> None:
    remarks = review(assembly.classes)
    for remark in remarks[:MOST_REMARKS]:
        print(f"look at {remark}")
    if len(remarks) > MOST_REMARKS:
        print(f"and {len(remarks) - MOST_REMARKS} more of the kind")
    for answer, reason in assembly.failures:
        text = textwrap.shorten(answer.text, LONGEST_ANSWER, placeholder=" ...")
        _complain(f"could not be parsed: {answer.question}: {reason}: {text!r}")


@tells_errors
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the tool; the exit status is 1 where an answer is missing or unreadable."""
    args = parse_args(argv)
    name = name_of_model(args.model) if args.backend == "transformers" else args.model
    questions = make_questions(read_labels(args.labels), name, args.n, args.system)
    if args.dry_run:
        show_plan(args, questions)
        return 0
    try:
        assembly = generate(args, questions)
    except (GenerationError, KeyboardInterrupt) as error:
        stopped = isinstance(error, KeyboardInterrupt)
        cause = "stopped" if stopped else f"error: {error}"
        _complain(f"{cause}\n{args.out} is not written.")
        if read_journal(args.journal):
            _complain(f"{args.journal} has all answers so far:")
            _complain("the same command goes on from there")
        return 130 if stopped else 1
    header = make_header(args.dataset, name, args.n, args.system, assembly)
    write_descriptions(args.out, args.dataset, assembly.classes, header)
    report(assembly)
    print(f"written: {args.out}")
    if not assembly.failures:
        return 0
    lacking = len(assembly.missing())
    _complain(
        f"{len(assembly.failures)} answers could not be parsed, {lacking} classes are "
        f"incomplete; the answers are in {args.journal}, --retry-unparsed asks anew"
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
