"""DurableCheckpointHook: whenever a run is killed, a good checkpoint is there."""

from __future__ import annotations

import os
from os import PathLike
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook

from gap_mmaction.utils.files import remove_parts, write_file

from ..checkpoint_files import LAST
from .resumption_hooks import model_of

DURABLE = "gap_durable"  # as in backend_args=dict(backend="gap_durable")
_OUTDATED = "outdated_ckpt_ids"
_SCALE = "input_scale"


class DurableBackend(LocalBackend):
    """MMEngine's ``LocalBackend``, with files that are there in full or not at all."""

    def put(self, obj: bytes, filepath: str | PathLike[str]) -> None:
        """Writes bytes; folders are made."""
        write_file(filepath, obj, durable=True)

    def put_text(
        self, obj: str, filepath: str | PathLike[str], encoding: str = "utf-8"
    ) -> None:
        """Writes text; folders are made."""
        self.put(obj.encode(encoding), filepath)


register_backend(DURABLE, DurableBackend, force=True)


@HOOKS.register_module()
class DurableCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, with the same arguments, in a safe order.

    MMEngine 0.10.7 removes the oldest or the best checkpoint, writes the new one under
    its own name, and then the file ``last_checkpoint``; a kill in between leaves half a
    file, an empty ``last_checkpoint``, or with ``max_keep_ckpts=1`` nothing. Here both
    are written by :class:`DurableBackend`; then what is outdated is removed.

    What a killed process has left unfinished is removed when the next one starts.
    Checkpoints that do not go to local files are written by their own backend.

    The scale of the data, see ``SkeletonDataPreprocessor.input_scale``, goes into the
    checkpoint's meta, and a test compares its data with it.
    """

    # Of MMEngine, which has no types.
    backend_args: dict[str, Any] | None
    file_backend: Any

    def before_train(self, runner: Any) -> None:
        """Chooses the backend; clears away what a killed process has left."""
        folder = str(self.out_dir or runner.work_dir)
        if (self.backend_args, self.file_client_args) == (None, None):
            local = "://" not in folder
            self.backend_args = {"backend": DURABLE} if local else None
        super().before_train(runner)
        if is_main_process():
            if "://" not in folder:
                for names in ("*.pth", LAST):
                    for path in remove_parts(self.out_dir, names):
                        runner.logger.info(f"Removed the unfinished {path}")
                remove_parts(runner.work_dir, LAST)
            if self.max_keep_ckpts > 0:  # or they are another hook's
                self._remove(runner.message_hub.get_info(_OUTDATED, []))

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Notes the scale of the training data."""
        scale = getattr(_preprocessor(runner), _SCALE, None)
        if scale is not None:
            checkpoint["meta"][_SCALE] = scale

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Takes over the scale of the training data."""
        preprocessor, meta = _preprocessor(runner), checkpoint.get("meta") or {}
        if hasattr(preprocessor, _SCALE):
            setattr(preprocessor, _SCALE, meta.get(_SCALE))

    def _save_checkpoint_with_step(self, runner: Any, step: int, meta: dict) -> None:
        """Saves, then points to it, then removes what is outdated."""
        outdated = self._keep(runner, step)
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_file(Path(runner.work_dir, LAST), str(self.last_ckpt), durable=True)
            self._remove(outdated)

    def _keep(self, runner: Any, step: int) -> list[int]:
        """Notes a checkpoint as kept; returns those that it takes the place of.

        Both go into the checkpoint: after a kill, the next process removes them.
        """
        if self.max_keep_ckpts <= 0 or step in self.keep_ckpt_ids:
            return []
        kept = [*self.keep_ckpt_ids, step]
        outdated, kept = kept[: -self.max_keep_ckpts], kept[-self.max_keep_ckpts :]
        self.keep_ckpt_ids.append(step)
        runner.message_hub.update_info("keep_ckpt_ids", kept)
        runner.message_hub.update_info(_OUTDATED, outdated)
        return outdated

    def _save_best_checkpoint(self, runner: Any, metrics: dict) -> None:
        """Saves the best checkpoint, then removes the one that was best before."""
        backend, held = self.file_backend, _HeldRemovals(self.file_backend)
        self.file_backend = held
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        several = getattr(self, "best_ckpt_path_dict", {})
        keep = {getattr(self, "best_ckpt_path", None), *several.values()}
        held.release(str(self.out_dir), keep)

    def _remove(self, steps: list[int]) -> None:
        for step in steps:
            name = self.filename_tmpl.format(step)
            path = self.file_backend.join_path(self.out_dir, name)
            if self.file_backend.isfile(path):
                self.file_backend.remove(path)


def _preprocessor(runner: Any) -> Any:
    return getattr(model_of(runner), "data_preprocessor", None)


class _HeldRemovals:
    """A backend that removes nothing before it is told so."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend
        self._held: list[tuple[Any, str]] = []

    def __getattr__(self, name: str) -> Any:
        function = getattr(self._backend, name)
        if name not in ("remove", "rmtree"):
            return function
        return lambda path: self._held.append((function, path))

    def release(self, folder: str, keep: set[str | None]) -> None:
        """Removes what was to be removed, but for what has been written since.

        What is in another folder is of the run that was resumed here, and stays.
        """
        for function, path in self._held:
            if path not in keep and os.path.dirname(path) == folder:
                function(path)
