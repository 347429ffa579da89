"""Each patch of compat.py: that it works, and that it is still needed.

If a test of the latter fails, upstream is corrected: remove the patch and the test.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.models.utils import Graph
from mmengine.config import Config, ConfigDict
from mmengine.dist import utils as dist_utils
from mmengine.runner import Runner, checkpoint

from gap_mmaction import compat
from gap_mmaction.skeletons import get_skeleton
from tests.processes import ROOT, run_python


def _package(name: str) -> Path:
    """Folder of an installed package, which is not imported."""
    return Path(str(importlib.util.find_spec(name).origin)).parent  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("function", "fault", "remedy"),
    [
        (Runner.resume, r"fromstring\(\s*checkpoint\['meta'\]\['config'\]", None),
        (Config.pretty_text.fget, r"FormatCode\(", "cache"),
        (checkpoint.load_from_http, r"load_url\(", "weights_only"),
        # By their source: on a machine with a GPU the calls themselves would succeed.
        (dist_utils._init_dist_pytorch, r"torch\.cuda\.set_device\(local_rank\)", None),
        (Runner.wrap_model, r"device_ids=\[int\(os\.environ\['LOCAL_RANK'\]\)\]", None),
    ],
)
def test_fault_is_still_there(function: Any, fault: str, remedy: str | None) -> None:
    source = inspect.getsource(function)
    assert re.search(fault, source)
    assert remedy is None or remedy not in source


def test_import_after_gap_mmaction() -> None:
    # Without transformers and importlib_metadata; the registry imports the models.
    code = """
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name in ("transformers", "importlib_metadata"):
                    raise ModuleNotFoundError(f"{name} is kept away")
        sys.meta_path.insert(0, Absent())
        from gap_mmaction import compat
        compat.apply()
        assert compat.apply() == (), "a second call has nothing to do"
        from mmaction.registry import MODELS
        print(MODELS.get("GCNHead").__name__, "transformers" in sys.modules)
        print("\\u52a8 on a console that cannot show it")
        from mmaction.models.localizers import DRN
        try:
            DRN()
        except ImportError as error:
            print(error)
    """
    out = run_python("-c", textwrap.dedent(code), PYTHONIOENCODING="cp1252")
    assert out.startswith("GCNHead False\n\\u52a8 on a console")
    assert "issue 2714" in out


def test_import_after_a_failed_import(tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text(
        "custom_imports = dict(imports=['mmaction.models', 'gap_mmaction.compat'],"
        " allow_failed_imports=True)\n"
    )
    code = f"""
        from mmengine.config import Config
        Config.fromfile({str(config)!r})
        from gap_mmaction import compat
        compat.apply()
        import mmaction.models
        from mmaction.registry import MODELS
        print(mmaction.models.backbones.__name__, MODELS.get("STGCN").__name__)
    """
    out = run_python("-c", textwrap.dedent(code))
    assert out == "mmaction.models.backbones STGCN\n"


@pytest.mark.parametrize("version", [None, "2.2.0"])
def test_mmcv_that_is_missing_or_too_new(
    version: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if version is None:
        monkeypatch.setitem(sys.modules, "mmcv", None)
    else:
        monkeypatch.setattr("mmcv.__version__", version)
    with pytest.raises(ImportError) as caught:
        compat.apply()
    low, high = compat.MMCV_RANGE
    lite = f"mmcv-lite>={low},<{high}"
    assert lite in str(caught.value)
    required = (ROOT / "requirements" / "mminstall.txt").read_text()
    assert lite in required.splitlines()


@pytest.mark.parametrize("name", compat.PRIVATE_NAMES)
def test_private_names_are_there(name: str) -> None:
    module, rest = name.split(".", 1)
    if module == "open_clip":
        pytest.importorskip("open_clip.model")
    found: Any = importlib.import_module(module)
    found = functools.reduce(getattr, rest.split("."), found)
    if isinstance(found, torch._ops.OpOverload):
        signature = str(found._schema).partition("(")
        assert "".join(signature[1:]) == compat.PRIVATE_NAMES[name]
    else:
        assert str(inspect.signature(found)) == compat.PRIVATE_NAMES[name]


@pytest.mark.parametrize("name", compat.PRIVATE_ATTRIBUTES)
def test_private_attributes_are_there(name: str) -> None:
    module, _, kind = name.rpartition(".")
    owner = getattr(importlib.import_module(module), kind)
    source = inspect.getsource(owner)
    for attribute in compat.PRIVATE_ATTRIBUTES[name].split():
        assert re.search(rf"self\.{attribute}\b|\"{attribute}\"", source), attribute


def test_drn_and_importlib_metadata_are_still_needed() -> None:
    source = (_package("mmaction") / "utils" / "dependency.py").read_text()
    assert "from importlib_metadata import" in source
    declared = importlib.metadata.requires("mmaction2") or []
    assert not [line for line in declared if line.startswith("importlib")]
    localizers = _package("mmaction") / "models" / "localizers"
    assert "from .drn.drn import DRN" in (localizers / "__init__.py").read_text()
    assert not (localizers / "drn").exists()


def test_multimodal_is_still_needed() -> None:
    models = _package("mmaction") / "models"
    source = (models / "multimodal/vindlu/modeling_bert.py").read_text()
    wanted = {
        alias.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        and node.module == "transformers.modeling_utils"
        for alias in node.names
    }
    served = (_package("transformers") / "modeling_utils.py").read_text()
    assert {name for name in wanted if not re.search(rf"\b{name}\b", served)}


@pytest.mark.parametrize(
    ("version", "importable", "needed"),
    [(None, False, False), ("4.57.1", True, False), ("4.57.1", False, True),
     ("5.23.0", True, True)],
)  # fmt: skip
def test_multimodal_condition(
    version: str | None, importable: bool, needed: bool, monkeypatch: Any
) -> None:
    from mmaction.utils import dependency

    monkeypatch.delitem(sys.modules, "mmaction.models", raising=False)
    monkeypatch.setattr(dependency, "WITH_MULTIMODAL", True)
    monkeypatch.setattr(compat, "_version", lambda _: version)
    monkeypatch.setattr(compat, "_is_installed", lambda _: importable)
    assert compat.disable_multimodal() is needed
    assert dependency.WITH_MULTIMODAL is not needed


NAMED: dict[str, Any] = dict(
    **dict(joints=("root", "neck", "left", "right"), center="root"),
    inward=(("neck", "root"), ("left", 1), ("right", "neck")),
)
NUMBERED: dict[str, Any] = dict(num_node=4, inward=[(1, 0), (2, 1), (3, 1)], center=0)


def _stock(*args: Any) -> Any:
    """Builds a Graph without the patch."""
    graph = Graph.__new__(Graph)
    inspect.unwrap(Graph.__init__)(graph, *args)
    return graph


@pytest.mark.parametrize("mode", ["spatial", "binary_adj"])
def test_graph_own_layouts_stay(mode: str) -> None:
    # This graph is no tree, which a layout of gap_mmaction must be.
    ring = {"num_node": 3, "inward": [[0, 1], [1, 2], [2, 0]], "center": 1}
    for layout in ("openpose", "nturgb+d", "coco", NUMBERED, ring):
        graph = Graph(layout=layout, mode=mode, max_hop=3)
        assert graph.layout is layout
        assert graph.A.tobytes() == _stock(layout, mode, 3).A.tobytes()
    assert Graph().A.tobytes() == _stock().A.tobytes()


def test_graph_layouts_of_gap() -> None:
    for layout in ("nw-ucla", NAMED):
        with pytest.raises((AssertionError, ValueError)):
            _stock(layout)  # else the patch is no longer needed
        graph = Graph(layout)
        assert graph.layout is layout
        np.testing.assert_allclose(graph.A, get_skeleton(layout).adjacency())
    for mode in ("spatial", "stgcn_spatial"):
        expected = _stock(NUMBERED, mode).A
        assert Graph(NAMED, mode).A.tolist() == expected.tolist()
    assert Graph(**ConfigDict(layout=ConfigDict(NAMED))).num_node == 4
    for bad in ("smpl", {**NUMBERED, "center": "neck"}, {"num_node": 2, "center": 0}):
        with pytest.raises(ValueError, match=r"smpl|neck|inward"):
            Graph(bad)
