"""Files that ship, and folders of packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.utils.dependency import find_package_folder
from gap_mmaction.utils.files import (
    find_description_file,
    find_shipped_file,
    name_of_model,
)


def test_a_path_comes_before_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = find_description_file("nwucla")
    assert shipped.is_file()
    assert shipped == find_shipped_file("data/descriptions/nwucla.yaml")
    own = Path("data/descriptions/nwucla.yaml")
    own.parent.mkdir(parents=True)
    own.touch()
    assert find_description_file("nwucla").resolve() == own.resolve()
    assert find_description_file("mine/no.yaml") == Path("mine/no.yaml")


def test_find_package_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site" / "some_weights" / "model"
    folder.mkdir(parents=True)
    # Importing it would fail.
    (folder.parent / "__init__.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert find_package_folder("some_weights/model") == str(folder)
    assert name_of_model(str(folder)) == "some_weights/model"
    assert name_of_model("org/name") == "org/name"
    for name in ("some_weights/other", "some_weights", "no_such/model", "a-b/model"):
        assert find_package_folder(name) is None
    # A folder of that name is meant first.
    (tmp_path / "some_weights" / "model").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_package_folder("some_weights/model") is None
