"""A Runner whose errors about checkpoints name the file."""

from __future__ import annotations

from typing import Any

from mmengine.runner import Runner

from gap_mmaction.models.recognizers.checkpoint_fit import CheckpointError


class SkeletonRunner(Runner):
    """MMEngine's Runner; a checkpoint that does not fit is named in the error."""

    def load_checkpoint(self, filename: str, *args: Any, **kwargs: Any) -> Any:
        """Load a checkpoint.

        Raises:
            CheckpointError: If it is of another model; the message names the file.
        """
        try:
            return super().load_checkpoint(filename, *args, **kwargs)
        except CheckpointError as error:
            raise CheckpointError(f"{filename}: {error}") from error
