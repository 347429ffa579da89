"""Each patch of compat.py: that it works, and that it is still needed.

A test named ``test_is_still_needed`` looks at the installed upstream package.
If it fails, upstream has corrected its fault: remove the patch and the test.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import inspect
import os
import re
import subprocess
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


def _package(name: str) -> Path:
    """Folder of an installed package, which is not imported."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent


def _run_python(code: str) -> str:
    """Runs code in a fresh interpreter, which has imported nothing so far."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    ("function", "fault", "remedy"),
    [
        (
            Runner.resume,
            r"Config\.fromstring\(\s*checkpoint\['meta'\]\['config'\]",
            None,
        ),
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
    # transformers and importlib_metadata are kept away, and the registry
    # is the one that imports mmaction.models.
    out = _run_python(
        """
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
        from mmaction.models.localizers import DRN
        try:
            DRN()
        except ImportError as error:
            print(error)
        """
    )
    assert out.startswith("GCNHead False\n")
    assert "issue 2714" in out


def test_import_after_a_failed_import(tmp_path: Path) -> None:
    config = tmp_path / "config.py"
    config.write_text(
        "custom_imports = dict(imports=['mmaction.models', 'gap_mmaction.compat'],"
        " allow_failed_imports=True)\n"
    )
    out = _run_python(
        f"""
        from mmengine.config import Config
        Config.fromfile({str(config)!r})
        from gap_mmaction import compat
        compat.apply()
        import mmaction.models
        from mmaction.registry import MODELS
        print(mmaction.models.backbones.__name__, MODELS.get("STGCN").__name__)
        """
    )
    assert out == "mmaction.models.backbones STGCN\n"


def test_import_after_a_failed_multimodal_import() -> None:
    # mmaction2 from its git repository has DRN, so that the multimodal
    # package is the first to fail, half of it being registered by then.
    # Loaded from its file, compat comes without gap_mmaction/__init__.py.
    out = _run_python(
        f"""
        import importlib.util
        spec = importlib.util.spec_from_file_location("c", {compat.__file__!r})
        compat = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(compat)
        compat.alias_importlib_metadata()
        compat.stub_missing_drn()
        try:
            import mmaction.models
        except ImportError as error:
            print("apply_chunking_to_forward" in str(error))
        compat.apply()
        import mmaction.models
        from mmaction.registry import MODELS
        print(MODELS.get("STGCN").__name__)
        """
    )
    assert out == "True\nSTGCN\n"


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
    for words in (
        "pip install 'gap-mmaction[lite]'",
        lite,
        f"full mmcv>={low},<{high}",
    ):
        assert words in str(caught.value)
    root = Path(__file__).parents[1]
    lines = (root / "requirements" / "mminstall.txt").read_text().splitlines()
    assert lite in lines


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
    source = inspect.getsource(owner.__init__)
    for attribute in compat.PRIVATE_ATTRIBUTES[name].split():
        assert re.search(rf"self\.{attribute}\b|\"{attribute}\"", source), attribute


def test_drn_is_still_needed() -> None:
    localizers = _package("mmaction") / "models" / "localizers"
    assert "from .drn.drn import DRN" in (localizers / "__init__.py").read_text()
    assert not (localizers / "drn").exists()


def test_drn_leaves_a_complete_package_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drn = tmp_path / "models" / "localizers" / "drn"
    drn.mkdir(parents=True)
    (drn / "__init__.py").touch()
    spec = importlib.machinery.ModuleSpec("mmaction", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    for name in [name for name in sys.modules if "localizers.drn" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    assert not compat.stub_missing_drn()


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
    [
        (None, False, False),
        ("4.57.1", True, False),
        ("4.57.1", False, True),
        ("5.23.0", True, True),
        ("5.23.0", False, True),
    ],
)
def test_multimodal_condition(
    version: str | None,
    importable: bool,
    needed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mmaction.utils import dependency

    monkeypatch.delitem(sys.modules, "mmaction.models", raising=False)
    monkeypatch.setattr(dependency, "WITH_MULTIMODAL", True)
    monkeypatch.setattr(compat, "_version", lambda _: version)
    monkeypatch.setattr(compat, "_is_installed", lambda _: importable)
    assert compat.disable_multimodal() is needed
    assert dependency.WITH_MULTIMODAL is not needed


def test_importlib_metadata_is_still_needed() -> None:
    source = (_package("mmaction") / "utils" / "dependency.py").read_text()
    assert "from importlib_metadata import" in source
    declared = importlib.metadata.requires("mmaction2") or []
    assert not [line for line in declared if line.startswith("importlib")]


def test_importlib_metadata_alias(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "importlib_metadata", None)  # type: ignore[arg-type]
    assert compat.alias_importlib_metadata()
    assert sys.modules["importlib_metadata"] is importlib.metadata
    assert not compat.alias_importlib_metadata()


NAMED: dict[str, Any] = dict(
    joints=("root", "neck", "left", "right"),
    inward=(("neck", "root"), ("left", 1), ("right", "neck")),
    center="root",
    parts={"arm": ["left"]},
)
NUMBERED: dict[str, Any] = dict(num_node=4, inward=[(1, 0), (2, 1), (3, 1)], center=0)


def _stock(*args: Any) -> Any:
    """Builds a Graph without the mend."""
    graph = Graph.__new__(Graph)
    inspect.unwrap(Graph.__init__)(graph, *args)
    return graph


def test_graph_is_still_needed() -> None:
    for layout in ("nw-ucla", NAMED):
        with pytest.raises((AssertionError, ValueError)):
            _stock(layout)


@pytest.mark.parametrize("mode", ["spatial", "stgcn_spatial", "binary_adj"])
def test_graph_own_layouts_stay(mode: str) -> None:
    # This graph is no tree, which a layout of gap_mmaction must be.
    ring = {"num_node": 3, "inward": [[0, 1], [1, 2], [2, 0]], "center": 1}
    for layout in ("openpose", "nturgb+d", "coco", NUMBERED, ring):
        stock = _stock(layout, mode, 3)
        graph = Graph(layout=layout, mode=mode, max_hop=3)
        assert graph.layout is layout
        assert graph.A.dtype == stock.A.dtype
        assert graph.A.tobytes() == stock.A.tobytes()
        for name in ("num_node", "inward", "outward", "neighbor", "center"):
            assert getattr(graph, name) == getattr(stock, name)
    assert Graph().A.tobytes() == _stock().A.tobytes()


def test_graph_layouts_of_gap() -> None:
    for layout in ("nw-ucla", NAMED):
        graph = Graph(layout)
        assert graph.layout is layout
        np.testing.assert_allclose(graph.A, get_skeleton(layout).adjacency())
    for mode in ("spatial", "stgcn_spatial"):
        expected = _stock(NUMBERED, mode).A
        assert Graph(NAMED, mode).A.tolist() == expected.tolist()
    assert Graph(**ConfigDict(layout=ConfigDict(NAMED))).num_node == 4


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ("smpl", r"'smpl' is unknown.*nw-ucla"),
        ({**NUMBERED, "center": "neck"}, "no joint is named 'neck'"),
        ({"num_node": 2, "center": 0}, "'inward' is missing"),
    ],
)
def test_graph_bad_layouts(layout: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Graph(layout)


def test_graph_needed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not compat.extend_graph_layouts()
    monkeypatch.setattr(Graph, "__init__", inspect.unwrap(Graph.__init__))
    assert compat.extend_graph_layouts()
    assert not compat.extend_graph_layouts()
    # A Graph that knows the layout is left alone.
    monkeypatch.setattr(Graph, "__init__", lambda self, layout: None)
    assert not compat.extend_graph_layouts()
