"""The generator, against a server that misbehaves, and killed in the middle."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gap_mmaction.generation.journal import read_journal
from gap_mmaction.generation.language_models import KEY_VARIABLE
from gap_mmaction.generation.prompts import make_questions
from gap_mmaction.models.text.descriptions import PARTS, load_descriptions
from tests.generation.common import (
    REFUSAL,
    SLOW,
    Action,
    ChatServer,
    good_answer,
    kind_and_label,
    save_tiny_language_model,
)
from tests.processes import ROOT, wait_for
from tools.generate_descriptions import main

Printed = pytest.CaptureFixture[str]
FILE = Path("labels.txt")
OUT = Path("out/mine.yaml")
JOURNAL = Path("out/mine.yaml.journal.jsonl")
KEY = "sk-a-key-that-nobody-may-see"
LABELS = ("sit down", "stand up", "throw")
FIELDS = {"label", "synonyms", "paragraph", *PARTS}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.chdir(tmp_path)
    FILE.write_text("\n".join(LABELS))


def arguments(*options: str, url: str = "") -> list[str]:
    address = ("--base-url", url) if url else ()
    paths = ("--labels", str(FILE), "--out", str(OUT))
    return [*paths, "--model", "m", "--retry-delay", "0.01", *address, *options]


def run(*options: str, url: str = "") -> int:
    return main(arguments(*options, url=url))


def check(out: Path = OUT, labels: tuple[str, ...] = LABELS) -> None:
    actions = load_descriptions(out)
    assert [action.label for action in actions] == list(labels)
    for action in actions:
        assert set(action.fields) == FIELDS
        assert all(action.label in text for text in action.fields["synonyms"])
        assert action.fields["hip"] == (f"hip moves as in {action.label}",)


def test_every_failure() -> None:
    """Each question meets another failure at first, and is put again."""
    prompts = [question.prompt for question in make_questions(LABELS, "m")]
    once = (SLOW, 429, 500, None, 408, b"<html>", b'{"choices": [{"mess', b'{"a": 1}')
    failures: list[list[Action]] = [[503, None, 429], *([action] for action in once)]

    def script(prompt: str, attempt: int) -> Action:
        met = failures[prompts.index(prompt)]
        return met[attempt - 1] if attempt <= len(met) else good_answer(prompt)

    with ChatServer(script) as server:
        options = ("--timeout", "0.6", "--max-retries", "50", "--concurrency", "3")
        assert run(*options, url=server.url) == 0
        for prompt, met in zip(prompts, failures):
            assert server.asked[prompt] > len(met)
    check()


def test_request() -> None:
    with ChatServer() as server:
        options = ("--temperature", "0.3", "--max-tokens", "99", "--system", "be brief")
        assert run(*options, url=server.url) == 0
    body = server.bodies[0]
    assert body.pop("response_format")["type"] == "json_schema"
    assert body.pop("messages") == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": 'Describe a person "sit down" in details.'},
    ]
    assert body == {"model": "m", "temperature": 0.3, "max_tokens": 99}
    for (answer,) in read_journal(JOURNAL).values():
        assert (answer.tokens_in, answer.tokens_out) == (11, 22)
        assert answer.served_model == "m-0613"


def test_what_is_asked_anew() -> None:
    with ChatServer() as server:
        assert run("--concurrency", "4", url=server.url) == 0
        first = OUT.read_bytes()
        # The same journal, in any order, without a server: the same file.
        header, *lines = JOURNAL.read_bytes().splitlines(keepends=True)
        JOURNAL.write_bytes(b"".join([header, *sorted(lines)]))
        OUT.unlink()
        assert run() == 0
        assert OUT.read_bytes() == first
        changed = ((), ("--model", "other"), ("--system", "be brief"), ("--n", "2"))
        for count, options in enumerate(changed, start=1):
            assert run(*options, url=server.url) == 0
            assert len(server.bodies) == 9 * count
        FILE.write_text("wave\n" + FILE.read_text())
        assert run("--n", "2", url=server.url) == 0
        assert len(server.bodies) == 42
        assert run("--labels", str(OUT), "--out", "b.yaml", url=server.url) == 0
    check(Path("b.yaml"), ("wave", *LABELS))


def test_unparsed(capsys: Printed) -> None:
    def script(prompt: str, attempt: int) -> Action:
        bad = kind_and_label(prompt) == ("synonyms", "throw") and attempt < 3
        return REFUSAL if bad else good_answer(prompt)

    with ChatServer(script) as server:
        assert run(url=server.url) == 1
        error = capsys.readouterr().err
        assert f"throw: synonyms: the model refused to answer: {REFUSAL!r}" in error
        fields = [set(action.fields) for action in load_descriptions(OUT)]
        assert fields == [FIELDS, FIELDS, FIELDS - {"synonyms"}]
        again = ("--retry-unparsed",)
        for options, status, asked in (((), 1, 9), (again, 1, 10), (again, 0, 11)):
            assert run(*options, url=server.url) == status
            assert len(server.bodies) == asked
    check()
    # All three answers are kept.
    assert JOURNAL.read_text().count('"throw", "kind": "synonyms"') == 3


def test_key_stays_secret(capsys: Printed, caplog: pytest.LogCaptureFixture) -> None:
    """The server says the key in an answer, and in its refusals."""
    caplog.set_level(logging.DEBUG)

    def script(prompt: str, attempt: int) -> Action:
        kind, label = kind_and_label(prompt)
        if label != "sit down":
            return 500 if attempt == 1 else 401
        told = "The one who sent {key} does it."
        return told if kind == "paragraph" else good_answer(prompt)

    with ChatServer(script) as server:
        assert run(url=server.url) == 1
        FILE.write_text("sit down")
        assert run(url=server.url) == 0
    printed = capsys.readouterr()
    assert f"key [hidden] is refused; check the key in {KEY_VARIABLE}" in printed.err
    assert "who sent [hidden] does it" in OUT.read_text()
    texts = [path.read_text() for path in OUT.parent.iterdir()]
    for text in (*texts, printed.out, printed.err, caplog.text):
        assert text and KEY not in text


def test_dry_run(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer() as server:
        assert run(url=server.url) == 0
    before = JOURNAL.read_bytes()
    OUT.unlink()
    monkeypatch.setitem(sys.modules, "openai", None)
    FILE.write_text(FILE.read_text() + "\nwave")
    capsys.readouterr()
    prices = ("--price-in", "1000000", "--price-out", "0")
    assert run("--dry-run", "--n", "2", *prices) == 0
    printed = capsys.readouterr().out
    assert "throw: parts (sample 2): Describing following body parts" in printed
    assert "throw: parts: " not in printed  # it is in the journal
    tokens = printed.split("estimate: ")[1].split(" tokens in")[0]
    # A token is four letters; 15 questions have eight tokens more each.
    assert 250 < int(tokens.replace(",", "")) < 500
    assert f"estimated cost: {tokens}.0000" in printed
    assert not OUT.exists() and JOURNAL.read_bytes() == before


def test_user_errors(capsys: Printed) -> None:
    for options, message in (
        ("--out mine.txt", "--out must be a file and end in .yaml"),
        ("--labels out/mine.yaml", "three different files"),
        ("--n 2 --temperature 0", "all would be the same"),
        ("--backend transformers --base-url http://a", "--backend openai"),
    ):
        with pytest.raises(SystemExit):
            run(*options.split())
        assert message in capsys.readouterr().err
    assert run("--journal", str(Path(__file__))) == 1
    assert "this is no journal" in capsys.readouterr().err
    with ChatServer(lambda prompt, attempt: 404) as server:
        assert run(url=server.url) == 1
    assert "check --model and --base-url" in capsys.readouterr().err
    assert not OUT.exists()


def test_local_model(capsys: Printed) -> None:
    model = save_tiny_language_model(Path("models/tiny").resolve(), template=True)
    options = ("--backend", "transformers", "--model", model, "--max-tokens", "5")
    assert run(*options) == 1
    assert "9 answers could not be parsed" in capsys.readouterr().err
    assert [set(action.fields) for action in load_descriptions(OUT)] == 3 * [{"label"}]


def test_killed_and_resumed() -> None:
    """No answer is asked for twice, and none is lost."""
    names = tuple(f"action {i}" for i in range(10))
    FILE.write_text("\n".join(names))
    prompts = {question.prompt for question in make_questions(names, "m")}

    with ChatServer(delay=0.05) as server:
        tool = str(ROOT / "tools" / "generate_descriptions.py")
        options = arguments("--concurrency", "2", url=server.url)
        command = [sys.executable, "-W", "ignore", tool, *options]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as first:
            # In time also on a machine that is busy with other things.
            wait_for(lambda: server.num_answered >= 12 or first.poll() is not None, 600)
            assert first.poll() is None
            first.kill()
        assert not OUT.exists()
        kept = [answer for (answer,) in read_journal(JOURNAL).values()]
        # All that were answered, but for those that the kill found on their way.
        assert 10 <= server.num_answered - 2 <= len(kept) < len(prompts)
        time.sleep(0.2)  # for requests that the server has still to answer to nobody
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.returncode == 0, second.stderr

    # None was lost: what was kept stands as it was, and the rest is there, once.
    answers = [answer for (answer,) in read_journal(JOURNAL).values()]
    assert answers[: len(kept)] == kept
    assert {one.question.prompt for one in answers} == {*server.asked} == prompts
    # None was asked for twice.
    assert {server.asked[answer.question.prompt] for answer in kept} == {1}
    assert len(server.bodies) <= len(prompts) + 2
    check(labels=names)
