"""The documentation: its commands parse and the files that it names exist.

Links, anchors and the navigation are checked by `make docs`.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
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

each_page = pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: str(page.relative_to(ROOT))
)


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
        arguments = [NUMBERS.get(word, word) for word in arguments]
        monkeypatch.setattr(sys, "argv", [tool, *arguments])
        try:
            args = _load(ROOT / tool).parse_args()
        except SystemExit as error:
            pytest.fail(f"{' '.join(call)}: exit status {error.code}")
        if tool in ("tools/train.py", "tools/test.py"):
            _check_options(args)


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
