from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.utils.paths import (
    find_description_file,
    find_shipped_file,
    name_of_model,
)


def test_shipped_files_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    by_name = find_description_file("nwucla")
    assert by_name.is_file()
    assert by_name == find_shipped_file("data/descriptions/nwucla.yaml")


def test_a_path_comes_before_what_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    own = Path("data/descriptions/nwucla.yaml")
    own.parent.mkdir(parents=True)
    own.touch()
    assert find_description_file("nwucla").resolve() == own.resolve()


def test_what_is_not_there_stays_as_it_is() -> None:
    assert find_description_file("mine/no.yaml") == Path("mine/no.yaml")


def test_model_names_have_no_place(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "tiny"
    folder.mkdir(parents=True)
    assert name_of_model(str(folder)) == "models/tiny"
    assert name_of_model("org/name") == "org/name"
