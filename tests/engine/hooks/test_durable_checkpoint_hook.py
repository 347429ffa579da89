"""At any moment of saving, a good checkpoint is there and named."""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub

from gap_mmaction.engine import DurableBackend, DurableCheckpointHook
from gap_mmaction.models import SkeletonDataPreprocessor

SIZE = 1000


class Killed(BaseException):
    """Stands for a SIGKILL."""


class FakeRunner:
    """What the hook needs of a Runner; its checkpoints are bytes."""

    logger = type("Logger", (), {"info": print})

    def __init__(self, folder: Path, hub: dict[str, Any] | None = None) -> None:
        self.work_dir, self.epoch, self.iter = str(folder), 0, 0
        self.message_hub = MessageHub(f"hub_{folder}")
        self.message_hub.update_info_dict(hub or {})

    def save_checkpoint(self, out_dir: str, filename: str, *_: Any, **kw: Any) -> None:
        backend = kw["backend_args"]
        assert backend == {"backend": "gap_durable"}
        DurableBackend().put(bytes(SIZE), os.path.join(out_dir, filename))


def start(
    folder: Path, hub: dict[str, Any] | None = None, **options: Any
) -> tuple[DurableCheckpointHook, FakeRunner]:
    hook = DurableCheckpointHook(interval=1, save_best="acc", **options)
    runner = FakeRunner(folder, hub)
    hook.before_train(runner)
    return hook, runner


def run_epoch(hook: CheckpointHook, runner: FakeRunner) -> None:
    """An epoch whose accuracy is the best one so far."""
    hook.after_train_epoch(runner)
    runner.epoch += 1
    hook.after_val_epoch(runner, {"acc": runner.epoch / 10})


def kill_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the process end after so many renamings, removals and flushes."""
    left, unlink = [count], os.unlink

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return function(*args, **kwargs)

    def kept(path: Any, **kwargs: Any) -> None:
        # A killed process cleans nothing up.
        if left[0] >= 0:
            unlink(path, **kwargs)

    targets = [(os, name) for name in ("fsync", "replace", "remove")]
    for module, name in (*targets, (tempfile, "mkstemp")):
        monkeypatch.setattr(module, name, partial(call, getattr(module, name)))
    monkeypatch.setattr(os, "unlink", kept)


@pytest.mark.parametrize("keep", [1, 2])
def test_killed_at_every_moment(tmp_path: Path, keep: int) -> None:
    seen_parts = False
    for count in range(100):
        folder = tmp_path / str(count)
        folder.mkdir()
        hook, runner = start(folder, max_keep_ckpts=keep)
        run_epoch(hook, runner)
        run_epoch(hook, runner)
        hub = dict(runner.message_hub.runtime_info)
        with pytest.MonkeyPatch.context() as monkeypatch:
            kill_after(count, monkeypatch)
            try:
                run_epoch(hook, runner)
            except Killed:
                pass
            else:
                break
        last = Path((folder / "last_checkpoint").read_text())
        assert last.name in ("epoch_2.pth", "epoch_3.pth")
        best = list(folder.glob("best_acc_epoch_*.pth"))
        assert best
        for path in [last, *best, *folder.glob("epoch_*.pth")]:
            assert path.stat().st_size == SIZE
        seen_parts |= bool(list(folder.glob("*.part")))
        # The next one goes on, from what was saved with its checkpoint.
        if last.name == "epoch_3.pth":
            hub = dict(runner.message_hub.runtime_info)
        hook, runner = start(folder, hub, max_keep_ckpts=keep)
        assert not list(folder.glob("*.part"))
        runner.epoch = int(last.stem[-1])
        while runner.epoch < 5:
            run_epoch(hook, runner)
        epochs = [f"epoch_{epoch}.pth" for epoch in range(6 - keep, 6)]
        assert sorted(path.name for path in folder.glob("epoch*")) == epochs
        assert (folder / "best_acc_epoch_5.pth").exists()
    assert 10 < count < 99 and seen_parts


def test_scale_of_the_data_is_kept() -> None:
    def runner(model: Any) -> Any:
        return SimpleNamespace(model=SimpleNamespace(data_preprocessor=model))

    one, other = SkeletonDataPreprocessor("nw-ucla"), SkeletonDataPreprocessor("coco")
    hook = DurableCheckpointHook()
    checkpoint: dict[str, Any] = {"meta": {}}
    one.input_scale = 0.5
    hook.before_save_checkpoint(runner(one), checkpoint)
    for model in (other, None):
        hook.after_load_checkpoint(runner(model), checkpoint)
    assert other.input_scale == 0.5
