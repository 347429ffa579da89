"""The documentation: links lead somewhere, commands parse, messages are real ones."""

from __future__ import annotations

import argparse
import ast
import functools
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mmaction.registry import MODELS
from mmengine.config import Config

from tests import doc_pages
from tests.doc_pages import PAGES, ROOT

# A page says that its reader writes these.
READERS_FILES = {"configs/gap/ctrgcn_suit.py", "data/descriptions/suit.yaml"}
NUMBERS = {"SEED": "0", "N": "1"}
# Which tool a script starts, and how many of its arguments are its own.
SCRIPTS = {
    "tools/dist_train.sh": ("tools/train.py", 1),
    "tools/dist_test.sh": ("tools/test.py", 2),
    "tools/slurm_train.sh": ("tools/train.py", 0),
    "tools/slurm_test.sh": ("tools/test.py", 0),
}
PATH = re.compile(
    r"(?:tools|configs|docs|gap_mmaction|tests|requirements|data/descriptions"
    r"|data/text_features)/[\w./-]+\.(?:py|sh|md|txt|yaml|yml|safetensors)"
)
SETTING = re.compile(r"(model\.[a-z_.]+)=\S")
# Types that a config leaves to the text branch.
TYPES = {"prompts": "PromptBank", "loss": "MultiPartContrastiveLoss"}
OTHERS = re.compile(r"\((?:torch|mmengine|Python)'s\)")

each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT))
)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for address in doc_pages.links(page):
        if re.match(r"[a-z]+:", address):
            assert address.startswith(("https://", "http://")), address
            continue
        path, _, anchor = address.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or ROOT not in target.parents:
            broken.append(address)
        elif anchor and anchor not in doc_pages.anchors(target):
            broken.append(f"{address} (anchors: {sorted(doc_pages.anchors(target))})")
    assert not broken


def test_links_are_found() -> None:
    page = ROOT / "docs" / "ntu.md"
    assert "../configs/gap/README.md" in doc_pages.links(page)
    assert "what-clean-changes" in doc_pages.anchors(page)
    assert sum(len(doc_pages.links(page)) for page in PAGES) > 100


def test_every_page_is_in_the_navigation() -> None:
    pages = {str(page.relative_to(ROOT)).removeprefix("docs/") for page in PAGES}
    listed = doc_pages.navigation()
    assert len(listed) == len(set(listed))
    assert set(listed) == pages


@each_page
def test_links_are_written_as_the_site_reads_them(page: Path) -> None:
    """The hook that rewrites links for the site finds those that markdown has."""
    pytest.importorskip("mkdocs")
    hooks = _load(ROOT / "docs" / "hooks.py")
    source = page.relative_to(ROOT).as_posix()
    expected = [
        (page.parent / address.partition("#")[0]).resolve().relative_to(ROOT).as_posix()
        for address in doc_pages.links(page)
        if not re.match(r"[a-z]+:|#", address)
    ]
    found = hooks._links(page.read_text("utf-8"), source)
    assert sorted(found) == sorted(expected)


@each_page
def test_files_that_are_named_exist(page: Path) -> None:
    named = [code for code in doc_pages.inline_code(page) if PATH.fullmatch(code)]
    named += [
        word.removeprefix("./")
        for call in doc_pages.commands(page)
        for word in call
        if PATH.fullmatch(word) and word.startswith(("configs/", "tools/"))
    ]
    missing = {name for name in named if not (ROOT / name).is_file()}
    assert not {n for n in missing - READERS_FILES if not _is_placeholder(n)}


def _is_placeholder(name: str) -> bool:
    return Path(name).stem.isupper()


@each_page
def test_commands_parse(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for call in doc_pages.commands(page):
        if len(call) == 1 or "..." in call:
            continue
        tool, *arguments = call
        if tool in SCRIPTS:
            tool, arguments = _unwrap(tool, arguments)
        if not tool.endswith(".py"):
            continue
        if arguments[0].startswith("--") and call not in doc_pages.blocks(page):
            # In a sentence, an option may stand alone.
            options = [word for word in arguments if word.startswith("--")]
            known = _parser(ROOT / tool, monkeypatch)._option_string_actions
            assert set(options) <= set(known), " ".join(call)
            continue
        arguments = [NUMBERS.get(word, word) for word in arguments]
        try:
            args = _parse(ROOT / tool, arguments, monkeypatch)
        except SystemExit as error:
            pytest.fail(f"{' '.join(call)}: exit status {error.code}")
        if tool in ("tools/train.py", "tools/test.py"):
            _check_options(args)


def test_commands_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = [call for page in PAGES for call in doc_pages.commands(page)]
    assert len({call[0] for call in calls}) > 10
    train = ROOT / "tools" / "train.py"
    _parse(train, ["x.py", "--seed", "0"], monkeypatch)
    with pytest.raises(SystemExit):
        _parse(train, ["x.py", "--no-such-option"], monkeypatch)


@functools.cache
def _load(path: Path) -> ModuleType:
    name = f"documented_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


class _FoundError(Exception):
    """Carries the parser of a tool."""


def _parser(tool: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.ArgumentParser:
    """Get hold of the parser that a tool makes."""

    def stop(self: argparse.ArgumentParser, *_: Any) -> None:
        raise _FoundError(self)

    module = _load(tool)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", [str(tool)])
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(_FoundError) as found:
            getattr(module, "parse_args", module.main)()
    parser: argparse.ArgumentParser = found.value.args[0]
    return parser


def _parse(
    tool: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> argparse.Namespace:
    """Parse a command line as the tool does, with its own checks where it has any."""
    module = _load(tool)
    if not hasattr(module, "parse_args"):
        return _parser(tool, monkeypatch).parse_args(arguments)
    monkeypatch.setattr(sys, "argv", [str(tool), *arguments])
    args: argparse.Namespace = module.parse_args()
    return args


def _unwrap(script: str, arguments: list[str]) -> tuple[str, list[str]]:
    """Give the tool that a script starts, and the tool's arguments."""
    tool, place = SCRIPTS[script]
    if place:
        int(arguments[place])
        return tool, [*arguments[:place], *arguments[place + 1 :]]
    return tool, arguments[2:]


@functools.cache
def _config(path: str) -> Config:
    return Config.fromfile(ROOT / path)


def _check_options(args: argparse.Namespace) -> None:
    """Check that settings on the command line belong to something in the config."""
    if not args.cfg_options or not (ROOT / args.config).is_file():
        return
    config = _config(args.config).to_dict()
    for key in args.cfg_options:
        place: Any = config
        for step in key.split(".")[:-1]:
            if isinstance(place, list):
                place = dict(zip(map(str, range(len(place))), place))
            assert step in place, f"{args.config} has no {key}"
            place = place[step]


@each_page
def test_settings_of_the_model_exist(page: Path) -> None:
    for code in doc_pages.inline_code(page):
        for key in SETTING.findall(code):
            assert _is_setting(key), f"{key} is no setting"


def test_wrong_settings_are_found() -> None:
    assert _is_setting("model.backbone.variant")
    assert not _is_setting("model.backbone.no_such")
    assert not _is_setting("model.no_such.variant")


def _is_setting(key: str) -> bool:
    place: Any = _config("configs/gap/ctrgcn_ntu120.py").to_dict()
    kind = ""
    *path, last = key.split(".")
    for step in path:
        if step not in place:
            return False
        place = place[step]
        kind = place.get("type", TYPES.get(step, ""))
    names = {
        name
        for parent in MODELS.get(kind).__mro__
        for name in inspect.signature(parent.__init__).parameters
    }
    return last in names


def test_messages_are_those_of_the_code() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
    page = page.split("## Faults of other packages")[0]
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", page, re.MULTILINE)
    messages = [
        re.findall(r"`([^`]+)`", row[0])[0] for row in rows if not OTHERS.search(row[0])
    ]
    assert len(messages) > 25
    literals = list(_literals())
    absent = []
    for message in messages:
        pieces = [re.escape(piece) for piece in message.split("...") if piece.strip()]
        pattern = re.compile(".*?".join(pieces), re.DOTALL)
        if not any(pattern.search(literal) for literal in literals):
            absent.append(message)
    assert not absent


def _literals() -> Iterator[str]:
    """Give the texts in the code, with gaps where variables stand."""
    for folder in ("gap_mmaction", "tools"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if ".mim" in path.parts:
                continue
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    parts = (
                        str(part.value) if isinstance(part, ast.Constant) else "\0"
                        for part in node.values
                    )
                    yield "".join(parts)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def test_readme_starts_with_the_two_commands() -> None:
    page = ROOT / "README.md"
    first = doc_pages.fences(page, "bash")[0]
    assert [line.split("#")[0].strip() for line in first.splitlines()] == [
        "make demo",
        "make test",
    ]
    text = page.read_text("utf-8")
    assert text.index(first) < 100


def test_readme_has_the_measured_numbers() -> None:
    """Its figures are those of the page of results."""
    readme = (ROOT / "README.md").read_text("utf-8")
    results = (ROOT / "docs" / "results" / "nwucla.md").read_text("utf-8")
    for name in ("CTR-GCN", "CTR-GCN with GAP"):
        row = re.compile(rf"^\| {name} \|(.*)\|$", re.MULTILINE)
        mine, theirs = row.search(readme), row.search(results)
        assert mine is not None and theirs is not None
        *seeds, mean = re.findall(r"\d+\.\d", theirs[1])
        figures = re.findall(r"\d+\.\d", mine[1])
        assert figures[0] == mean
        assert figures[1:3] == [min(seeds), max(seeds)]
