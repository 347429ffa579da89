"""Patches of compat.py for checkpoints, configs and several processes on a CPU."""

from __future__ import annotations

import os
import pickle
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmengine
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner, checkpoint
from torch import distributed
from yapf.yapflib import yapf_api

from gap_mmaction import compat


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
