"""The documentation: its commands parse, files exist, and examples train."""

from __future__ import annotations

import argparse
import functools
import importlib
import importlib.util
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import mmaction.registry
import mmengine.registry
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.registry import Registry

from gap_mmaction.models.recognizers import drop_text_branch
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
    assert not {n for n in missing - READERS_FILES if not Path(n).stem.isupper()}


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


PAGE = ROOT / "docs" / "design.md"
MODULE = "my_parts"
EXAMPLES = {
    "a-backbone": "NeighbourMean",
    "a-text-encoder": "BagOfWords",
    "other-parts": "",
    "a-loss": "CosineDistance",
}


def code_blocks() -> dict[str, list[str]]:
    """Returns the python blocks of the page, by the heading above them."""
    found = {}
    for section in re.split(r"^### ", PAGE.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        heading = section.splitlines()[0].lower().replace(" ", "-")
        found[heading] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    return {heading: blocks for heading, blocks in found.items() if blocks}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the configs of the project and the examples of the page."""
    folder = tmp_path_factory.mktemp("design")
    shutil.copytree(ROOT / "configs", folder / "configs")
    code, examples = [], code_blocks()
    assert set(examples) == set(EXAMPLES)
    for heading, blocks in examples.items():
        *module, config = blocks
        code += module
        (folder / "configs" / "gap" / f"{heading}.py").write_text(config)
    (folder / f"{MODULE}.py").write_text("\n".join(code))
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop(MODULE, None)
    for name in filter(None, EXAMPLES.values()):
        MODELS.module_dict.pop(name, None)


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_trains_and_tests(folder: Path, example: str) -> None:
    config = Config.fromfile(folder / "configs" / "gap" / f"{example}.py")
    if "backbone" not in example:
        config.model.backbone.base_channels = 8
        config.model.cls_head.in_channels = 32
    if example == "other-parts":
        # As the page says, the shipped features have other texts.
        importlib.import_module(MODULE)
        config.model.text_branch.features = None
        config.model.text_branch.encoder = dict(type="BagOfWords")
    torch.manual_seed(0)
    model = MODELS.build(config.model)
    model.init_weights()
    name = EXAMPLES[example] or "BagOfWords"
    assert type(_find(model, name)).__name__ == name

    data = {
        "inputs": [torch.randn(1, 1, 16, 20, 3) for _ in range(4)],
        "data_samples": [ActionDataSample().set_gt_label(i % 3) for i in range(4)],
    }
    batch = model.data_preprocessor(data, training=True)
    losses = model(**batch, mode="loss")
    assert losses["loss_con"] > 0
    if example == "other-parts":
        assert {"con_global", "con_left", "con_right"} <= set(losses)
    (losses["loss_con"] + losses["loss_cls"]).backward()
    gradients = [p.grad for p in model.backbone.parameters() if p.grad is not None]
    assert gradients and any(gradient.any() for gradient in gradients)

    drop_text_branch(config)
    plain = MODELS.build(config.model)
    plain.load_state_dict(model.state_dict())
    plain.eval()
    batch = plain.data_preprocessor(data)
    (first, *_) = plain(**batch, mode="predict")
    assert first.pred_score.shape == (10,)


def test_public_names_are_those_registered() -> None:
    section = PAGE.read_text("utf-8").split("## Public names")[1]
    table = section.split("\n\nmmaction2's")[0]
    names = [
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    ]
    ours = {
        name
        for package in (mmengine.registry, mmaction.registry)
        for registry in vars(package).values()
        if isinstance(registry, Registry)
        for name, part in registry.module_dict.items()
        if part.__module__.startswith("gap_mmaction.")
    }
    assert len(ours) > 20
    assert sorted(names) == sorted(ours)


def _find(model: Any, name: str) -> Any:
    """Find a part of the model; a frozen encoder is gone once it has run."""
    if name == "BagOfWords":
        features = model.text_branch.features
        assert features.any(1).all()
        return MODELS.build(dict(type=name))
    return next(m for m in model.modules() if type(m).__name__ == name)
