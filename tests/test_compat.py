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
import os
import pickle
import re
import socket
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import pytest
import torch
from mmaction.models.utils import Graph
from mmengine.config import Config, ConfigDict
from mmengine.dist import utils as dist_utils
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner, checkpoint
from torch import distributed
from yapf.yapflib import yapf_api

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


class _Toy(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs: torch.Tensor, mode: str = "tensor") -> Any:  # type: ignore[override]
        return {"loss": self.layer(inputs).square().mean()}


def _make_runner(work_dir: Path, epochs: int = 1, **kwargs: Any) -> Runner:
    """Makes a Runner that trains one step an epoch, and saves after each."""
    loader = dict(
        dataset=[{"inputs": torch.ones(1)}] * 2,
        sampler=dict(type="DefaultSampler", shuffle=False),
        collate_fn=dict(type="default_collate"),
        batch_size=2,
    )
    return Runner(
        _Toy(),
        str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        default_scope="mmengine",
        log_level="ERROR",
        # MMEngine keeps a message hub per name for the length of the process.
        experiment_name=f"{work_dir}_{epochs}".replace("/", "_"),
        **kwargs,
    )


@pytest.fixture
def bare_allow_list() -> Iterator[None]:
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(allowed)


class _Calls:
    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.usefixtures("bare_allow_list")
def test_checkpoints_loads_and_resumes(tmp_path: Path) -> None:
    _make_runner(tmp_path).train()
    checkpoint_file = tmp_path / "epoch_1.pth"
    with pytest.raises(pickle.UnpicklingError, match=r"HistoryBuffer|numpy"):
        checkpoint.load_from_local(str(checkpoint_file), "cpu")
    assert compat.allow_checkpoint_globals()
    assert not compat.allow_checkpoint_globals()
    runner = _make_runner(checkpoint_file.parent, epochs=2, resume=True)
    runner.train()
    assert len(runner.message_hub.get_scalar("train/loss").data[0]) == 2


@pytest.mark.usefixtures("bare_allow_list")
def test_checkpoints_names_of_both_numpys(tmp_path: Path) -> None:
    compat.allow_checkpoint_globals()
    values = {"array": np.arange(3), "scalar": np.float32(1.5)}
    # The names differ in length: only the legacy format, plain pickles, can be edited.
    legacy = tmp_path / "legacy.pth"
    torch.save(values, legacy, _use_new_zipfile_serialization=False)
    data = legacy.read_bytes()
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        legacy.write_bytes(re.sub(rb"numpy\._?core\.multiarray", name, data))
        loaded = torch.load(legacy, weights_only=True)
        assert loaded["array"].tolist() == [0, 1, 2]
        assert loaded["scalar"] == np.float32(1.5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (_Calls(os.mkdir, "trace"), "mkdir"),
        (_Calls(getattr, HistoryBuffer, "__init__"), "statistics of mmengine"),
        (_Calls(getattr, torch.Size, "__init__"), "statistics of mmengine"),
        (np.array([Path("a"), None], dtype=object), "Weights only load failed"),
    ],
)
@pytest.mark.usefixtures("bare_allow_list")
def test_checkpoints_nothing_else_is_called(
    content: Any, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compat.allow_checkpoint_globals()
    torch.save({"state_dict": content}, "file.pth")
    with pytest.raises(pickle.UnpicklingError, match=message):
        checkpoint.load_from_local("file.pth", "cpu")
    assert not Path("trace").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        *((data, "refused") for data in (b"abc", b"", b"PK\x03\x04")),
        ([1], "holds a list"),
        ({"state_dict": [1]}, "state_dict is a list"),
    ],
)
def test_loader_names_the_file(content: Any, message: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.pth"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save(content, file)
    with pytest.raises(pickle.UnpicklingError, match=rf"bad\.pth: .*{message}"):
        checkpoint.CheckpointLoader.load_checkpoint(str(file))


def test_loader_a_config_in_it_is_left_out(tmp_path: Path) -> None:
    assert not compat.guard_checkpoint_loader(), "the package has done it"
    file = tmp_path / "old.pth"
    torch.save({"state_dict": {}, "meta": {"config": "1 / 0", "epoch": 3}}, file)
    loaded = checkpoint.CheckpointLoader.load_checkpoint(str(file))
    assert loaded["meta"] == {"epoch": 3}
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        checkpoint.CheckpointLoader.load_checkpoint(str(tmp_path / "none.pth"))


def test_config_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def format_code(source: str, style_config: dict[str, Any]) -> Any:
        calls.append(source)
        return yapf_api.FormatCode(source, style_config=style_config)

    monkeypatch.setattr(mmengine.config.config, "FormatCode", format_code)
    assert compat.format_configs_once()
    config = Config({"a": {"b": [1, 2], "c": "d" * 80}, "e": "f" * 80})
    assert config.pretty_text == Config(config.to_dict()).pretty_text != calls[0]
    config.e = "f" * 81
    assert "f" * 81 in config.pretty_text and len(calls) == 2


def test_downloads_check_is_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "load_url", torch.hub.load_state_dict_from_url)
    assert compat.check_downloaded_checkpoints()
    assert not compat.check_downloaded_checkpoints()
    # A file in the cache of torch.hub is not downloaded again.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    torch.save(_Calls(os.mkdir, str(tmp_path / "trace")), folder / "file.pth")
    with pytest.raises(pickle.UnpicklingError, match="mkdir"):
        checkpoint.load_from_http("http://localhost/file.pth", "cpu")
    assert not (tmp_path / "trace").exists()


@pytest.mark.skipif(not compat.lacks_accelerator(), reason="needs a CPU machine")
@pytest.mark.parametrize("launcher", ["slurm", "mpi"])
def test_cpu_trains_through_gloo(
    launcher: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"'ray' is unknown.*slurm"):
        compat.init_cpu_process_group("ray")
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(KeyError, match=r"RANK is not set.*torchrun"):
        compat.init_cpu_process_group("pytorch")
    monkeypatch.setattr(compat, "_first_slurm_host", lambda: "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))
    for names in compat._RANK_VARIABLES.values():
        for name, value in zip((*names, "MASTER_ADDR"), ("0", "0", "1", "127.0.0.1")):
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR")
    assert not compat.init_cpu_process_group("none")
    assert compat.init_cpu_process_group(launcher)
    assert not compat.init_cpu_process_group(launcher)
    assert distributed.get_backend() == "gloo"
    wrapper = compat.cpu_model_wrapper_cfg(None, find_unused_parameters=True)
    try:
        runner = _make_runner(
            tmp_path, launcher="pytorch", cfg={"model_wrapper_cfg": wrapper}
        )
        runner.train()
    finally:
        distributed.destroy_process_group()
    assert type(runner.model).__name__ == "MMDistributedDataParallel"
    assert runner.model.find_unused_parameters and runner.iter == 1


def test_encodings_is_read_or_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not compat.decode_configs()
    bom = tmp_path / "bom.py"
    bom.write_bytes("\ufeffa = '\u52a8\u4f5c'\n".encode())
    assert Config.fromfile(bom).a == "\u52a8\u4f5c"
    with monkeypatch.context() as unpatched, pytest.raises(SyntaxError):
        unpatched.delattr(mmengine.config.config, "open")
        Config.fromfile(bom)
    (tmp_path / "gbk.py").write_bytes(b"a = 1\nb = '" + "\u52a8'".encode("gbk"))
    (tmp_path / "leaf.py").write_text("_base_ = 'gbk.py'")
    with pytest.raises(ValueError, match=r"gbk\.py, line 2: .* no UTF-8 text"):
        Config.fromfile(tmp_path / "leaf.py")
