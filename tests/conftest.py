"""What all tests share."""

from __future__ import annotations

import functools
import gc
import os
from pathlib import Path

import pytest
import torch
from mmengine.config import config as config_file
from mmengine.registry import init_default_scope
from mmengine.runner import runner

import gap_mmaction  # noqa: F401
from gap_mmaction.datasets.synthetic import write_synthetic
from tests.apis.small_model import SmallRun, make_run
from tests.models.text_common import TINY_CLIP

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("GAP_SHARED", REPOSITORY.parent / "shared"))

# For speed: a Runner asks compilers and drivers for their versions, and yapf to lay out
# the text of its config, for half a second; data sets collect garbage, for which what
# was imported needs not be searched each time.
runner.collect_env = functools.lru_cache(maxsize=1)(runner.collect_env)
config_file.FormatCode = lambda source, **_: (source, True)
gc.freeze()


def pytest_configure(config: pytest.Config) -> None:
    # pytest-xdist would leave files of few tests to the end, and those take longest.
    config.option.loadscopereorder = False


@pytest.fixture(autouse=True)
def setup() -> None:
    """Registry names without a prefix are mmaction2's; one thread, for speed.

    For each test anew, as a Runner in a test before sets a scope of its own.
    """
    init_default_scope("mmaction")
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets, which are no part of the repository."""
    if not (SHARED / "data").is_dir():
        pytest.skip(f"there are no data sets in {SHARED} (set GAP_SHARED)")
    return SHARED


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> SmallRun:
    """A small model for NW-UCLA; its files and config are for reading only."""
    init_default_scope("mmaction")
    return make_run(tmp_path_factory.mktemp("small_run"))


@pytest.fixture(scope="session")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Annotations of the embedded set: two performers train, one tests."""
    path = tmp_path_factory.mktemp("synthetic") / "synthetic.pkl"
    write_synthetic(path, num_performers=3, num_train_performers=2, repetitions=1)
    return path


@pytest.fixture
def tiny_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """Registers a small model ``tiny`` with open_clip."""
    open_clip = pytest.importorskip("open_clip")
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", TINY_CLIP)


@pytest.fixture(scope="session")
def golden_folder() -> Path:
    """The outputs of the reference implementations; see tests/golden/README.md."""
    newer = SHARED / "golden"
    return newer if newer.is_dir() else REPOSITORY / "tests" / "golden"
