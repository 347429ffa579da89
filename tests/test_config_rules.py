"""What a newcomer may rely on: nothing is copied, all leaves are listed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from gap_mmaction.utils.safetensors_checkpoint import load_from_safetensors
from tests.config_files import (
    BASES,
    LEAVES,
    ROOT,
    WEIGHTS,
    accuracy_of_card,
    bases_of,
    inherited,
    own,
    stream_of,
)

# As long as this, in characters, two settings may be the same.
LITERAL = 100
STEMS = sorted(path.stem for path in LEAVES)
FOLDER = ROOT / "configs" / "gap"

# The paper's Tables 2 to 4, top-1 %.
PAPER = {
    "nwucla": {"joint": 94.0, "joint-motion": 93.5, "bone": 95.3, "bone-motion": 91.2},
    "ntu60": {"joint": 90.2, "joint-motion": 88.0, "bone": 91.2, "bone-motion": 87.8},
    "ntu60-xview": {
        **{"joint": 95.6, "joint-motion": 93.7},
        **{"bone": 95.5, "bone-motion": 93.2},
    },
    "ntu120": {"joint": 85.5, "joint-motion": 82.3, "bone": 87.5, "bone-motion": 82.4},
    "ntu120-xset": {
        **{"joint": 87.0, "joint-motion": 83.9},
        **{"bone": 88.7, "bone-motion": 84.4},
    },
}
FIGURES = {
    f"ctrgcn_{data}" + ("" if stream == "joint" else f"_{stream}"): figure
    for data, streams in PAPER.items()
    for stream, figure in streams.items()
}
# Table 1d.
FIGURES |= {
    "stgcn_ntu120": 83.8,
    "ctrbaseline_ntu120": 84.6,
    "ctrgcn-single_ntu120": 85.5,
}


def test_there_is_a_leaf_for_each_benchmark_and_stream() -> None:
    assert len(FIGURES) == 20 + 3
    assert set(FIGURES) <= set(STEMS)
    for data in ("ntu60", "ntu60-xview", "ntu120", "ntu120-xset"):
        assert f"ctrgcn_{data}_mmaction2" in STEMS


def test_no_setting_stands_twice() -> None:
    places: dict[str, list[str]] = {}
    for path in (*LEAVES, *BASES):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, (ast.Call, ast.List, ast.Tuple, ast.Dict)):
                # The lists of bases are what leaves are made of.
                text = ast.unparse(node)
                if len(text) > LITERAL and "_base_/" not in text:
                    places.setdefault(text, []).append(path.name)
    assert places
    assert not {text: found for text, found in places.items() if len(found) > 1}


def test_bases_are_all_used() -> None:
    used = {base for path in (*LEAVES, *BASES) for base in bases_of(path)}
    # This one is for configs of one's own, see docs/small_data.md.
    assert {path for path in BASES if path not in used} == {
        ROOT / "configs/_base_/schedules/gap_small_data.py"
    }


def repeated(mine: Any, theirs: Any, where: str) -> Iterator[str]:
    """List the settings that the parent has already."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        if not mine.get("_delete_"):
            for key in mine.keys() & theirs.keys():
                yield from repeated(mine[key], theirs[key], f"{where}.{key}")
    elif mine == theirs:
        yield f"{where} = {mine!r}"


@pytest.mark.parametrize(
    "path", [path for path in (*LEAVES, *BASES) if bases_of(path)], ids=lambda p: p.stem
)
def test_says_only_what_differs(path: Path) -> None:
    assert not list(repeated(own(path), inherited(path), path.stem))


def test_every_leaf_is_in_the_metafile() -> None:
    index = yaml.safe_load((ROOT / "model-index.yml").read_text("utf-8"))
    metafile = yaml.safe_load((FOLDER / "metafile.yml").read_text("utf-8"))
    assert "configs/gap/metafile.yml" in index["Import"]
    (collection,) = metafile["Collections"]
    # `mim` resolves it from the root.
    assert (ROOT / collection["README"]).is_file()
    models = metafile["Models"]
    shipped = {}
    assert sorted(model["Name"] for model in models) == STEMS
    for model in models:
        assert model["Config"] == f"configs/gap/{model['Name']}.py"
        assert model["In Collection"] == collection["Name"]
        figures = [
            (name, figure)
            for result in model.get("Results", ())
            for name, figure in result["Metrics"].items()
        ]
        expected = []
        if model["Name"] in FIGURES:
            expected.append(("Top 1 Accuracy (paper)", FIGURES[model["Name"]]))
        if "Weights" in model:
            # Of ours nothing stands there but what can be measured again.
            shipped[model["Weights"]] = model["Config"]
            figure = accuracy_of_card(ROOT / model["Weights"])
            expected.append(("Top 1 Accuracy (these weights)", figure))
        assert figures == expected
    assert shipped == {
        f"data/weights/{path.name}": load_from_safetensors(path)["meta"]["config"]
        for path in WEIGHTS
    }


def test_every_leaf_is_in_the_readme() -> None:
    page = (FOLDER / "README.md").read_text("utf-8")
    rows = {
        match[1]: [cell.strip() for cell in match[0].strip("|\n").split("|")]
        for match in re.finditer(r"^\| *\[`(\S+)`\]\(\1\.py\).*$", page, re.M)
    }
    assert sorted(rows) == STEMS
    for path in LEAVES:
        row = rows[path.stem]
        # config, data set, stream, family, the paper's figure
        assert row[2] == stream_of(path)
        figure = FIGURES.get(path.stem)
        assert row[4] == ("" if figure is None else f"{figure:.1f}")
