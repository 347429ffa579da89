"""RunFolder: what a training has left in its work dir."""

from __future__ import annotations

import re
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from gap_mmaction.evaluation.training_log import TrainingLog, read_training_log
from gap_mmaction.utils.config_text import parse_config_text

_START = re.compile(r"\d{8}_\d{6}")
_HEAD = 200
"""Lines at the start of a .log in which the environment is looked for."""


@dataclass(frozen=True)
class RunFolder:
    """A run of mmengine's Runner.

    Attributes:
        path: The work dir.
        starts: The times of its starts, ``YYYYMMDD_HHMMSS``, the first of them first.
        log: Its curves, or None.
        config: Its settings by name; empty where there is no config.
        config_text: The config, as dumped.
        environment: What mmengine has logged of machine and packages; empty where there
            is no log.
        checkpoint: The last checkpoint, or None.
        problems: What could not be read, and how to come by it.
    """

    path: Path
    starts: tuple[str, ...]
    log: TrainingLog | None
    config: dict[str, Any]
    config_text: str
    environment: str
    checkpoint: Path | None
    problems: dict[str, str]

    @classmethod
    def read(cls, path: str | PathLike[str]) -> RunFolder:
        """Read a work dir.

        Args:
            path: The folder that ``--work-dir`` named.

        Raises:
            NotADirectoryError: If there is no such folder.
            ValueError: If there is neither a log nor a config in it.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder}: there is no such run folder")
        starts = tuple(
            sorted(p.name for p in folder.iterdir() if _START.fullmatch(p.name))
        )
        problems: dict[str, str] = {}
        log = None
        try:
            log = read_training_log(folder)
        except (OSError, ValueError) as error:
            problems["curves"] = str(error)
        text, config = _read_config(folder, problems)
        environment = _read_environment(folder)
        if not environment:
            problems["environment"] = (
                "No .log of mmengine is in the run's folder, which says what machine "
                "and packages it ran with; keep the folders named by time."
            )
        if log is None and not config:
            raise ValueError(
                f"{folder}: neither a log nor a config of a run is in it; give the "
                "folder that tools/train.py wrote to (--work-dir)"
            )
        checkpoint = _last_checkpoint(folder)
        return cls(folder, starts, log, config, text, environment, checkpoint, problems)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.resolve().name


def _read_config(folder: Path, problems: dict[str, str]) -> tuple[str, dict[str, Any]]:
    # The last start's, which a resumed run may have changed; of trainings first, which
    # have curves: a test leaves the texts out.
    dated = sorted(folder.glob("*/vis_data/config.py"), reverse=True)
    dated.sort(key=lambda file: not file.with_name("scalars.json").is_file())
    files = dated + sorted(folder.glob("*.py"))
    for file in files:
        try:
            text = file.read_text("utf-8")
            return text, parse_config_text(text, file)
        except (OSError, ValueError) as error:
            problems["config"] = str(error)
    problems.setdefault(
        "config",
        "The run's folder holds no config; mmengine writes it to vis_data/config.py "
        "with the LocalVisBackend.",
    )
    return "", {}


def _read_environment(folder: Path) -> str:
    """Take what stands between the first rulers of the last start's log."""
    for file in sorted(folder.glob("*/*.log"))[::-1]:
        lines: list[str] = []
        with file.open(encoding="utf-8", errors="replace") as stream:
            for line, _ in zip(stream, range(_HEAD)):
                if lines and line.startswith("----"):
                    return "\n".join(lines)
                if lines or line.startswith("System environment:"):
                    lines.append(line.rstrip()[:300])
    return ""


def _last_checkpoint(folder: Path) -> Path | None:
    note = folder / "last_checkpoint"
    try:
        # The file names a place on the machine that trained.
        file = folder / Path(note.read_text("utf-8").strip()).name
    except (OSError, ValueError):
        return None
    return file if file.is_file() else None
