"""What is written down about a run: ``run.json`` in its folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from gap_mmaction.utils.atomic_file import atomic_file
from gap_mmaction.utils.config_text import differences, flatten
from gap_mmaction.utils.strict_json import parse_json

from .run_config import RunConfig
from .run_identity import RunIdentity

FORMAT = "gap-run/1"
STATES = ("running", "interrupted", "failed", "ended")

# One process or eight with an eighth of the batch each: the same recipe.
_BATCH = "train_dataloader.batch_size"


class RunFolderError(ValueError):
    """A folder that is not that of the run; the message says what to do."""


@dataclass
class RunRecord:
    """What is known about a run.

    Attributes:
        name: The run, its folder in the work dir.
        base: The config that it inherits.
        config: All settings.
        cfg_options: ``KEY=VALUE`` from the command line.
        seed: Its seed.
        processes: Processes of the training.
        total_batch: Samples of a step over all processes.
        iterations: Iterations of the training.
        data: The annotation file and its size in bytes.
        state: ``running``, ``interrupted``, ``failed`` or ``ended``. A run that is
            ``running`` though nobody runs it was killed.
        command: The last command.
        versions: Versions of what it ran with, at its last start.
        minutes: Time spent on it, all starts together.
        result: Accuracies in percent, and of how many samples, once it has ended.
        error: The last line of the log, if it failed.
    """

    name: str
    base: str
    config: dict[str, Any]
    cfg_options: list[str]
    seed: int
    processes: int
    total_batch: int
    iterations: int | None
    data: dict[str, Any]
    state: str = "running"
    command: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    minutes: float = 0.0
    result: dict[str, Any] | None = None
    error: str | None = None

    @classmethod
    def of(cls, spec: RunIdentity, config: RunConfig) -> RunRecord:
        """Start the record of a run."""
        size = config.data.stat().st_size if config.data.is_file() else None
        return cls(
            name=str(spec),
            base=str(config.base),
            config=config.resolved,
            cfg_options=list(config.options),
            seed=spec.seed,
            processes=config.processes,
            total_batch=config.total_batch,
            iterations=config.iterations,
            data={"file": str(config.data), "bytes": size},
        )

    @property
    def has_ended(self) -> bool:
        """Whether there is a result."""
        return self.state == "ended"

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        content = {"format": FORMAT, **asdict(self)}
        with atomic_file(path) as stream:
            stream.write(json.dumps(content, indent=1).encode() + b"\n")

    @classmethod
    def read(cls, path: Path) -> RunRecord:
        """Read a record.

        Raises:
            RunFolderError: If the file is none, or of another version.
        """
        try:
            content = parse_json(path.read_text("utf-8"))
            if content.pop("format") != FORMAT or content["state"] not in STATES:
                raise ValueError(f"not of the form {FORMAT}")
            return cls(**{item.name: content.pop(item.name) for item in fields(cls)})
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RunFolderError(
                f"{path}: no record of a run that can be read ({error!r}). Move the "
                f"folder {path.parent} away, or give another --work-dir"
            ) from None

    def differences(self, asked: RunRecord) -> list[str]:
        """Compare with the settings that are asked for.

        How many processes share the batch matters only while a run is unfinished: it
        cannot be resumed with another number.

        Args:
            asked: The record that a new run would have.

        Returns:
            A line for each setting that differs.
        """
        mine, other = self._settings(asked), asked._settings(self)
        # A fold's file or a moved data set may not be there to be measured.
        if None in (mine["data.bytes"], other["data.bytes"]):
            mine["data.bytes"] = other["data.bytes"] = None
        return differences(mine, other)

    def _settings(self, other: RunRecord) -> dict[str, Any]:
        settings = {"seed": self.seed, "data.bytes": self.data.get("bytes")}
        settings.update(flatten(self.config))
        settings.pop(_BATCH, None)
        settings["batch size over all processes"] = self.total_batch
        if not (self.has_ended or other.has_ended):
            settings["--gpus"] = self.processes
        return settings
