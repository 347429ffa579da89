"""Each mend of compat.py: that it works, and that it is still needed.

A test named ``test_*_is_still_needed`` looks at the installed upstream package.
If it fails, upstream has mended its fault: remove the mend and the test.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.metadata
import importlib.util
import inspect
import os
import pickle
import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

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


class TestImports:
    """``import mmaction.models``, before and after ``import gap_mmaction``."""

    def test_after_gap_mmaction(self) -> None:
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

    def test_after_a_failed_import(self, tmp_path: Path) -> None:
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

    def test_after_a_failed_multimodal_import(self) -> None:
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


class TestMMCV:
    """The check that there is an mmcv."""

    @staticmethod
    def _assert_names_both(message: str) -> None:
        assert "pip install 'gap-mmaction[lite]'" in message
        assert "mmcv-lite>=2.0.0,<2.2.0" in message
        assert "full mmcv>=2.0.0,<2.2.0" in message

    def test_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "mmcv", None)
        with pytest.raises(ImportError, match="cannot be imported") as caught:
            compat.apply()
        self._assert_names_both(str(caught.value))

    def test_too_new(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mmcv.__version__", "2.2.0")
        with pytest.raises(ImportError, match=r"mmcv 2\.2\.0") as caught:
            compat.require_mmcv()
        self._assert_names_both(str(caught.value))

    def test_range_is_that_of_the_extra(self) -> None:
        root = Path(__file__).parents[1]
        requirement = (root / "requirements" / "mminstall.txt").read_text()
        low, high = compat.MMCV_RANGE
        assert f"mmcv-lite>={low},<{high}" in requirement.splitlines()


class TestDRN:
    """Mend 1, the package that the wheel of mmaction2 lacks."""

    def test_is_still_needed(self) -> None:
        localizers = _package("mmaction") / "models" / "localizers"
        assert "from .drn.drn import DRN" in (localizers / "__init__.py").read_text()
        assert not (localizers / "drn").exists()

    def test_leaves_a_complete_package_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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


class TestMultimodal:
    """Mend 2, the multimodal package that cannot do with transformers 5."""

    def test_is_still_needed(self) -> None:
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
    def test_condition(
        self,
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


class TestImportlibMetadata:
    """Mend 3, the dependency that mmaction2 does not declare."""

    def test_is_still_needed(self) -> None:
        source = (_package("mmaction") / "utils" / "dependency.py").read_text()
        assert "from importlib_metadata import" in source
        declared = importlib.metadata.requires("mmaction2") or []
        assert not [line for line in declared if line.startswith("importlib")]

    def test_alias(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "importlib_metadata", None)  # type: ignore[arg-type]
        assert compat.alias_importlib_metadata()
        assert sys.modules["importlib_metadata"] is importlib.metadata
        assert not compat.alias_importlib_metadata()


class _Toy(BaseModel):
    """A model of one weight, for a Runner that is done in no time."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(  # type: ignore[override]
        self, inputs: torch.Tensor, mode: str = "tensor"
    ) -> dict[str, torch.Tensor]:
        """Returns the loss, whatever the mode."""
        return {"loss": self.layer(inputs).square().mean()}


def _make_runner(work_dir: Path, **kwargs: Any) -> Runner:
    """Makes a Runner that trains one step an epoch, and saves after each."""
    settings: dict[str, Any] = {
        "model": _Toy(),
        "work_dir": str(work_dir),
        "train_dataloader": {
            "dataset": [{"inputs": torch.ones(1)}] * 2,
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "collate_fn": {"type": "default_collate"},
            "batch_size": 2,
        },
        "train_cfg": {"by_epoch": True, "max_epochs": 1},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.1}},
        "default_scope": "mmengine",
        "log_level": "ERROR",
        # MMEngine keeps a message hub per name for the length of the process.
        "experiment_name": str(work_dir).replace("/", "_"),
    }
    return Runner(**{**settings, **kwargs})


@pytest.fixture
def checkpoint_file(tmp_path: Path) -> Path:
    """A checkpoint as mmengine writes it at the end of an epoch."""
    _make_runner(tmp_path / "first").train()
    return tmp_path / "first" / "epoch_1.pth"


@pytest.fixture
def bare_allow_list() -> Iterator[None]:
    """Takes everything from torch's allow-list for the length of a test."""
    allowed = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    yield
    torch.serialization.clear_safe_globals()
    torch.serialization.add_safe_globals(allowed)


class _Calls:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


@pytest.mark.usefixtures("bare_allow_list")
class TestCheckpoints:
    """Mend 4, checkpoints with torch's ``weights_only`` on."""

    def test_is_still_needed(self, checkpoint_file: Path) -> None:
        with pytest.raises(pickle.UnpicklingError, match=r"HistoryBuffer|numpy"):
            checkpoint.load_from_local(str(checkpoint_file), "cpu")

    def test_loads_and_resumes(self, checkpoint_file: Path) -> None:
        assert compat.allow_checkpoint_globals()
        assert not compat.allow_checkpoint_globals()
        loaded = torch.load(checkpoint_file, weights_only=True)
        buffer = loaded["message_hub"]["log_scalars"]["train/loss"]
        assert isinstance(buffer, HistoryBuffer)
        assert len(buffer.data[0]) == 1
        assert buffer.statistics("mean") == buffer.current()

        runner = _make_runner(
            checkpoint_file.parent,
            train_cfg={"by_epoch": True, "max_epochs": 2},
            experiment_name="resumed",
            resume=True,
        )
        runner.train()
        assert runner.epoch == 2
        assert len(runner.message_hub.get_scalar("train/loss").data[0]) == 2

    def test_names_of_both_numpys(self, tmp_path: Path) -> None:
        compat.allow_checkpoint_globals()
        values = {"array": np.arange(3), "scalar": np.float32(1.5)}
        torch.save(values, tmp_path / "now.pth")
        # The name differs in length, so it is the pickle that has to be edited:
        # the legacy file format is a plain sequence of pickles.
        legacy = tmp_path / "legacy.pth"
        torch.save(values, legacy, _use_new_zipfile_serialization=False)
        data = legacy.read_bytes()
        assert data.count(b"numpy._core.multiarray") + data.count(
            b"numpy.core.multiarray"
        )
        for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
            legacy.write_bytes(re.sub(rb"numpy\._?core\.multiarray", name, data))
            loaded = torch.load(legacy, weights_only=True)
            assert loaded["array"].tolist() == [0, 1, 2]
            assert loaded["scalar"] == np.float32(1.5)

    def test_malicious_call_is_not_made(self, tmp_path: Path) -> None:
        compat.allow_checkpoint_globals()
        trace, file = tmp_path / "trace", tmp_path / "malicious.pth"
        torch.save({"state_dict": _Calls(os.mkdir, str(trace))}, file)
        with pytest.raises(pickle.UnpicklingError, match="mkdir"):
            checkpoint.load_from_local(str(file), "cpu")
        assert not trace.exists()

    @pytest.mark.parametrize(
        "arguments",
        [
            (HistoryBuffer, "__init__"),
            (HistoryBuffer, "register_statistics"),
            (torch.Tensor, "mean"),
            (torch.Size, "__init__"),
        ],
    )
    def test_getattr_reaches_nothing_else(
        self, arguments: tuple[Any, str], tmp_path: Path
    ) -> None:
        compat.allow_checkpoint_globals()
        torch.save(_Calls(getattr, *arguments), tmp_path / "getattr.pth")
        with pytest.raises(pickle.UnpicklingError, match="statistics of mmengine"):
            torch.load(tmp_path / "getattr.pth")

    def test_objects_stay_out(self, tmp_path: Path) -> None:
        compat.allow_checkpoint_globals()
        file = tmp_path / "objects.pth"
        torch.save(np.array([Path("a"), None], dtype=object), file)
        with pytest.raises(pickle.UnpicklingError):
            torch.load(file)


class TestCheckpointLoader:
    """Mend 4 as well: errors about checkpoints, and the code in old ones."""

    def test_is_still_needed(self) -> None:
        # Were it not for the mend, the text would be run.
        source = inspect.getsource(Runner.resume)
        assert re.search(
            r"Config\.fromstring\(\s*checkpoint\['meta'\]\['config'\]", source
        )

    def test_the_file_is_named(self, tmp_path: Path) -> None:
        assert not compat.guard_checkpoint_loader(), "the package has done it"
        for name, content in (("text", b"abc"), ("empty", b""), ("zip", b"PK\x03\x04")):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(pickle.UnpicklingError, match=f"{name}: refused"):
                checkpoint.CheckpointLoader.load_checkpoint(str(tmp_path / name))
        for content_ in ([1], {"state_dict": [1]}):
            torch.save(content_, tmp_path / "list.pth")
            with pytest.raises(
                pickle.UnpicklingError,
                match=r"list\.pth.*holds a list|state_dict is a list",
            ):
                checkpoint.CheckpointLoader.load_checkpoint(str(tmp_path / "list.pth"))
        with pytest.raises(FileNotFoundError, match=r"none\.pth"):
            checkpoint.CheckpointLoader.load_checkpoint(str(tmp_path / "none.pth"))

    def test_a_config_in_it_is_left_out(self, tmp_path: Path) -> None:
        file = tmp_path / "old.pth"
        torch.save({"state_dict": {}, "meta": {"config": "1 / 0", "epoch": 3}}, file)
        loaded = checkpoint.CheckpointLoader.load_checkpoint(str(file))
        assert loaded["meta"] == {"epoch": 3}


class TestConfigText:
    """The text of a config is laid out once."""

    def test_is_still_needed(self) -> None:
        source = inspect.getsource(Config.pretty_text.fget)
        assert "FormatCode(" in source and "cache" not in source

    def test_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[str] = []

        def format_code(source: str, style_config: dict[str, Any]) -> tuple[str, bool]:
            calls.append(source)
            return yapf_api.FormatCode(source, style_config=style_config)

        monkeypatch.setattr(mmengine.config.config, "FormatCode", format_code)
        assert compat.format_configs_once()
        assert not compat.format_configs_once()
        config = Config({"a": {"b": [1, 2], "c": "d" * 80}, "e": "f" * 80})
        text = config.pretty_text
        assert config.pretty_text == text == Config(config.to_dict()).pretty_text
        assert len(calls) == 1 and text != calls[0]
        config.e = "f" * 81
        assert "f" * 81 in config.pretty_text and len(calls) == 2


class TestConfigEncodings:
    """Configs as editors on Windows write them."""

    BOM = "\ufeffa = '\u52a8\u4f5c'\n".encode()

    def test_is_still_needed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delattr(mmengine.config.config, "open")
        (tmp_path / "bom.py").write_bytes(self.BOM)
        with pytest.raises(SyntaxError):
            Config.fromfile(tmp_path / "bom.py")

    def test_is_read_or_named(self, tmp_path: Path) -> None:
        assert not compat.decode_configs()
        (tmp_path / "bom.py").write_bytes(self.BOM)
        assert Config.fromfile(tmp_path / "bom.py").a == "\u52a8\u4f5c"
        (tmp_path / "gbk.py").write_bytes(b"a = 1\nb = '" + "\u52a8'".encode("gbk"))
        (tmp_path / "leaf.py").write_text("_base_ = 'gbk.py'")
        with pytest.raises(ValueError, match=r"gbk\.py, line 2: .* no UTF-8 text"):
            Config.fromfile(tmp_path / "leaf.py")


class TestDownloads:
    """Mend 4 again, for checkpoints that mmengine downloads."""

    def test_is_still_needed(self) -> None:
        load_url = inspect.signature(torch.hub.load_state_dict_from_url)
        assert load_url.parameters["weights_only"].default is False
        source = inspect.getsource(checkpoint.load_from_http)
        assert "load_url(" in source
        assert "weights_only" not in source

    def test_check_is_on(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


class TestGraphLayouts:
    """mmaction2's Graph, which knows three layouts."""

    NAMED: ClassVar[dict[str, Any]] = {
        "joints": ("root", "neck", "left", "right"),
        "inward": (("neck", "root"), ("left", 1), ("right", "neck")),
        "center": "root",
        "parts": {"arm": ["left"]},
    }
    NUMBERED: ClassVar[dict[str, Any]] = {
        "num_node": 4,
        "inward": [(1, 0), (2, 1), (3, 1)],
        "center": 0,
    }

    @staticmethod
    def _stock(*args: Any) -> Any:
        """Builds a Graph without the mend."""
        graph = Graph.__new__(Graph)
        inspect.unwrap(Graph.__init__)(graph, *args)
        return graph

    def test_is_still_needed(self) -> None:
        for layout in ("nw-ucla", self.NAMED):
            with pytest.raises((AssertionError, ValueError)):
                self._stock(layout)

    @pytest.mark.parametrize("mode", ["spatial", "stgcn_spatial", "binary_adj"])
    @pytest.mark.parametrize("max_hop", [1, 3])
    def test_own_layouts_stay(self, mode: str, max_hop: int) -> None:
        # This graph is no tree, which a layout of gap_mmaction must be.
        ring = {"num_node": 3, "inward": [[0, 1], [1, 2], [2, 0]], "center": 1}
        for layout in ("openpose", "nturgb+d", "coco", self.NUMBERED, ring):
            stock = self._stock(layout, mode, max_hop)
            graph = Graph(layout=layout, mode=mode, max_hop=max_hop)
            assert graph.layout is layout
            assert graph.A.dtype == stock.A.dtype
            assert graph.A.tobytes() == stock.A.tobytes()
            for name in ("num_node", "inward", "outward", "neighbor", "center"):
                assert getattr(graph, name) == getattr(stock, name)
        assert Graph(self.NUMBERED).inward is self.NUMBERED["inward"]
        assert Graph().A.tobytes() == self._stock().A.tobytes()

    def test_layouts_of_gap(self) -> None:
        for layout in ("nw-ucla", self.NAMED):
            graph = Graph(layout)
            assert graph.layout is layout
            np.testing.assert_allclose(graph.A, get_skeleton(layout).adjacency())
        for mode in ("spatial", "stgcn_spatial"):
            expected = self._stock(self.NUMBERED, mode).A
            assert Graph(self.NAMED, mode).A.tolist() == expected.tolist()
        neck = Graph("nw-ucla", "stgcn_spatial").A
        assert neck.shape == (3, 20, 20)
        # The shoulder centre is the centre: from it, all others are further away.
        assert neck[1, 3, 2] > 0 and neck[2, 3, 2] == 0

    def test_config_of_a_user(self) -> None:
        layout = ConfigDict(self.NAMED)
        assert Graph(**ConfigDict(layout=layout)).num_node == 4

    def test_bad_layouts(self) -> None:
        with pytest.raises(ValueError, match=r"'smpl' is unknown.*nw-ucla"):
            Graph("smpl")
        with pytest.raises(ValueError, match="no joint is named 'neck'"):
            Graph({**self.NUMBERED, "center": "neck"})
        with pytest.raises(ValueError, match="'inward' is missing"):
            Graph({"num_node": 2, "center": 0})

    def test_needed_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert not compat.extend_graph_layouts()
        monkeypatch.setattr(Graph, "__init__", inspect.unwrap(Graph.__init__))
        assert compat.extend_graph_layouts()
        assert not compat.extend_graph_layouts()
        # A Graph that knows the layout is left alone.
        monkeypatch.setattr(Graph, "__init__", lambda self, layout: None)
        assert not compat.extend_graph_layouts()


class TestCPUDistributed:
    """Mend 5, mmengine's launcher without an accelerator."""

    @pytest.fixture
    def rank_variables(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """The environment of the only process of a torchrun, without a GPU."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        for name, value in {
            "RANK": "0",
            "LOCAL_RANK": "0",
            "WORLD_SIZE": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }.items():
            monkeypatch.setenv(name, value)
        yield
        if distributed.is_initialized():
            distributed.destroy_process_group()

    def test_is_still_needed(self) -> None:
        # By its source: on a machine with a GPU the call itself would succeed.
        launcher = inspect.getsource(dist_utils._init_dist_pytorch)
        assert "torch.cuda.set_device(local_rank)" in launcher
        wrapper = inspect.getsource(Runner.wrap_model)
        assert "device_ids=[int(os.environ['LOCAL_RANK'])]" in wrapper

    @pytest.mark.skipif(not compat.lacks_accelerator(), reason="needs a CPU machine")
    @pytest.mark.usefixtures("rank_variables")
    def test_trains_through_gloo(self, tmp_path: Path) -> None:
        assert not compat.init_cpu_process_group("none")
        assert compat.init_cpu_process_group("pytorch")
        assert not compat.init_cpu_process_group("pytorch")
        assert distributed.get_backend() == "gloo"
        runner = _make_runner(
            tmp_path,
            launcher="pytorch",
            cfg={"model_wrapper_cfg": compat.cpu_model_wrapper_cfg()},
        )
        runner.train()
        assert type(runner.model).__name__ == "MMDistributedDataParallel"
        assert runner.iter == 1

    def test_leaves_an_accelerator_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compat, "lacks_accelerator", lambda: False)
        assert not compat.init_cpu_process_group("pytorch")
        assert not distributed.is_initialized()

    def test_slurm_and_mpi_variables(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[str] = []
        monkeypatch.setattr(compat, "lacks_accelerator", lambda: True)
        monkeypatch.setattr(
            distributed, "init_process_group", lambda backend: made.append(backend)
        )
        monkeypatch.setattr(compat, "_first_slurm_host", lambda: "node7")
        targets = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
        for launcher, address in (("slurm", "node7"), ("mpi", "127.0.0.1")):
            for name in targets:
                # Set first, so that monkeypatch knows what to restore.
                monkeypatch.setenv(name, "")
                monkeypatch.delenv(name)
            for name, value in zip(compat._RANK_VARIABLES[launcher], "315"):
                monkeypatch.setenv(name, value)
            assert compat.init_cpu_process_group(launcher)
            found = [os.environ[name] for name in targets]
            assert found == ["3", "1", "5", address, "29500"]
        assert made == ["gloo", "gloo"]

    def test_bad_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compat, "lacks_accelerator", lambda: True)
        monkeypatch.delenv("RANK", raising=False)
        with pytest.raises(KeyError, match=r"RANK is not set.*torchrun"):
            compat.init_cpu_process_group("pytorch")
        with pytest.raises(ValueError, match=r"'ray' is unknown.*slurm"):
            compat.init_cpu_process_group("ray")

    def test_wrapper_keeps_the_config(self) -> None:
        given = {"type": "Mine", "static_graph": True}
        assert compat.cpu_model_wrapper_cfg(given) == {**given, "device_ids": None}
        made = compat.cpu_model_wrapper_cfg(None, find_unused_parameters=True)
        assert made["find_unused_parameters"] is True
        assert made["broadcast_buffers"] is False
