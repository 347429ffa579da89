from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.utils.dependency import find_package_folder


def test_find_package_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site" / "some_weights" / "model"
    folder.mkdir(parents=True)
    # Importing it would fail.
    (folder.parent / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert find_package_folder("some_weights/model") == str(folder)
    for name in ("some_weights/other", "some_weights", "no_such/model", "a-b/model"):
        assert find_package_folder(name) is None
    # A folder of that name is meant first.
    (tmp_path / "some_weights" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_package_folder("some_weights/model") is None
