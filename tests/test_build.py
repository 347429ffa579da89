"""The wheel carries what OpenMMLab's tools look for under ``.mim``."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest

from tests.processes import ROOT, run_python

SOURCES = (
    *("gap_mmaction", "configs", "tools", "requirements"),
    *("data/descriptions", "data/text_features", "data/weights"),
)
FILES = ("setup.py", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md")


@pytest.mark.slow
def test_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns("__pycache__", ".mim", "*.egg-info")
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=ignore)
    for name in (*FILES, "model-index.yml"):
        shutil.copy(ROOT / name, source / name)
    options = ("--no-deps", "--no-build-isolation", "-q", "-w", tmp_path)
    run_python("-m", "pip", "wheel", *options, source)
    (wheel,) = tmp_path.glob("gap_mmaction-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith("/METADATA"))
        text = archive.read(metadata).decode()
    for path in (
        *("configs/gap/ctrgcn_ntu120.py", "configs/_base_/default_runtime.py"),
        *("tools/train.py", "tools/dist_train.sh", "data/descriptions/nwucla.yaml"),
        *("data/text_features/nwucla_minilm.safetensors", "data/weights/README.md"),
        "model-index.yml",
    ):
        assert f"gap_mmaction/.mim/{path}" in names
    modules = {f"{path.relative_to(ROOT)}" for path in ROOT.glob("gap_mmaction/*.py")}
    assert modules <= names
    assert not [name for name in names if name.startswith("tests/")]
    assert "Name: gap-mmaction" in text
    for extra in ("lite", "optional", "tests", "docs"):
        assert f"Provides-Extra: {extra}" in text
