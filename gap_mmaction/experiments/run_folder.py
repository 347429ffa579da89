"""The folder of a run."""

from __future__ import annotations

import re
from pathlib import Path

from gap_mmaction.engine.checkpoint_files import (
    BrokenCheckpointError,
    find_resumable,
    read_meta,
)
from gap_mmaction.utils.atomic_file import atomic_file

from .run_config import RunConfig
from .run_identity import RunIdentity
from .run_record import RunFolderError, RunRecord

_CHECKPOINT = re.compile(r"epoch_(\d+)\.pth")
# What a process that was killed can leave before the record is there.
_TEMPORARY = ".part"
_SHOWN = 3


class RunFolder:
    """Where the files of a run are.

    ========================  =====================================================
    ``run.json``              the record
    ``config.py``             the config, as it is given to the tools
    ``train.log``             all that training has printed, over all starts
    ``train/``                MMEngine's work dir: checkpoints, logs, the whole config
    ``test.log``, ``test/``   the same of the test
    ``scores.pkl``            the scores of the test
    ========================  =====================================================

    Args:
        work_dir: The work dir, an absolute path.
        spec: The run.
    """

    def __init__(self, work_dir: Path, spec: RunIdentity) -> None:
        self.path = work_dir / spec.folder
        self.record_file = self.path / "run.json"
        self.config = self.path / "config.py"
        self.train_dir = self.path / "train"
        self.train_log = self.path / "train.log"
        self.test_dir = self.path / "test"
        self.test_log = self.path / "test.log"
        self.scores = self.path / "scores.pkl"
        self.new_scores = self.path / "new_scores.pkl"

    def read(self) -> RunRecord | None:
        """Read the record.

        Returns:
            The record; None if the folder is not there, or empty.

        Raises:
            RunFolderError: If the folder is not that of a run, or the record is broken.
        """
        if self.record_file.is_file():
            return RunRecord.read(self.record_file)
        if not self.path.exists():
            return None
        if not self.path.is_dir():
            raise RunFolderError(f"{self.path}: is no folder; move it away")
        found = [p.name for p in self.path.iterdir() if p.suffix != _TEMPORARY]
        if found:
            raise RunFolderError(
                f"{self.path}: has files but no run.json, so it is not known what they "
                "are of. Move the folder away, or give another --work-dir"
            )
        return None

    def check(self, asked: RunRecord) -> RunRecord | None:
        """Read the record, and check that it is of the run that is asked for.

        Args:
            asked: The record that a new run would have.

        Returns:
            The record, None if there is none.

        Raises:
            RunFolderError: If the folder is of a run with other settings.
        """
        record = self.read()
        if record is None:
            return None
        lines = record.differences(asked)
        if lines:
            more = len(lines) - _SHOWN
            shown = "; ".join(lines[:_SHOWN]) + (f"; {more} more" if more > 0 else "")
            what = "a run" if record.has_ended else "an unfinished run"
            raise RunFolderError(
                f"{self.path}: {what} with other settings: {shown}. Give another "
                "--work-dir, give the settings it has, or move the folder away"
            )
        return record

    def write_config(self, config: RunConfig) -> None:
        """Write the config."""
        with atomic_file(self.config) as stream:
            stream.write(config.text.encode())

    def checkpoint(self) -> tuple[Path, int] | None:
        """Find the checkpoint to go on from, as ``tools/train.py --resume`` does.

        Returns:
            The file and its epoch, None if there is none.

        Raises:
            RunFolderError: If there are checkpoints and none can be read.
        """
        try:
            path = find_resumable(self.train_dir)
        except BrokenCheckpointError as error:
            raise RunFolderError(str(error)) from error
        return None if path is None else (path, int(read_meta(path)["epoch"]))

    def remove_other_checkpoints(self, last: str) -> None:
        """Remove the checkpoints that only a run that is unfinished needs.

        Args:
            last: Name of the last epoch's, which stays, as the best one does.
        """
        for path in self.train_dir.glob("epoch_*.pth"):
            if path.name != last and _CHECKPOINT.fullmatch(path.name):
                path.unlink(missing_ok=True)


def last_line(log: Path) -> str:
    """Give the last line of a log, as a rule the message of an exception."""
    try:
        with log.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - 20_000))
            lines = stream.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or [""])[-1]


_ERROR = re.compile(r"(\w+\.)*\w*(Error|Exception|Interrupt)\b")
