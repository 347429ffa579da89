"""Logs of runs: whole, resumed, unfinished, broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gap_mmaction.evaluation import read_training_log
from tests.evaluation.files import CONFIG, epochs, write_run


def test_curves(tmp_path: Path) -> None:
    log_file = write_run(tmp_path, epochs(1, 4, loss=2.0))
    log = read_training_log(tmp_path)
    positions, values = log.curves["loss"]
    np.testing.assert_allclose(positions[:3], [5 / 8, 1, 13 / 8])
    assert positions[-1] == log.length == log.planned == 4
    assert set(values) == {2}
    positions, values = log.curves["acc/top1"]
    assert (positions.tolist(), values.tolist()) == ([2, 4], [0.2, 0.4])
    assert set(log.curves["time"][1]) == {1}  # not the test's
    assert log.by_epoch and not log.is_unfinished
    assert read_training_log(log_file).length == 4


def test_by_iteration(tmp_path: Path) -> None:
    train = [{"loss": 1.0, "iter": i, "step": i} for i in (10, 20, 30)]
    log_file = write_run(tmp_path, [*train, {"acc/top1": 0.5, "step": 30}])
    config = CONFIG.replace("max_epochs=4", "max_iters=50")
    (log_file.parent / "config.py").write_text(config)
    log = read_training_log(tmp_path)
    assert not log.by_epoch
    assert log.curves["loss"][0].tolist() == [10, 20, 30]
    assert log.curves["acc/top1"][0].tolist() == [30]
    assert (log.length, log.planned, log.is_unfinished) == (30, 50, True)


def test_resumed(tmp_path: Path) -> None:
    write_run(tmp_path, epochs(1, 3, loss=1.0)[:-1], "20260101_000000")
    write_run(tmp_path, epochs(3, 4, loss=2.0), "20260102_000000")
    log = read_training_log(tmp_path)
    positions, values = log.curves["loss"]
    assert (np.diff(positions) > 0).all()
    assert values.tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert log.curves["acc/top1"][0].tolist() == [2, 4]


def test_unfinished(tmp_path: Path) -> None:
    log_file = write_run(tmp_path, epochs(1, 2, loss=1.0))
    whole = log_file.read_text()
    log_file.write_text(whole + '{"loss": 1.0, "epo')  # as it is being written
    mark = tmp_path / "executed"
    config = log_file.parent / "config.py"
    config.write_text(f"open({str(mark)!r}, 'w')\n{CONFIG}")
    log = read_training_log(tmp_path)
    assert (log.length, log.planned, log.is_unfinished) == (2, 4, True)
    assert not mark.exists()
    config.unlink()
    assert not read_training_log(tmp_path).is_unfinished  # not known to be


def test_nothing_logged_yet_and_broken_lines(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="stopped before the first line"):
        read_training_log(tmp_path)
    log_file = write_run(tmp_path, [], "20260102_000000")
    for text in ("", '{"a": 1.0, "step": 3}\n'):
        log_file.write_text(text)
        with pytest.raises(ValueError, match="no complete line of training yet"):
            read_training_log(tmp_path)

    first, *rest = write_run(tmp_path / "a", epochs(1, 1, 1.0)).read_text().splitlines()
    for line in ("{", "3", '{"loss": 1}', '{"step": "3"}', '{"step": 1, "epoch": 0}'):
        log_file.write_text("\n".join([first, line, *rest]))
        with pytest.raises(ValueError, match=r"scalars\.json: line 2 is no line"):
            read_training_log(tmp_path)
