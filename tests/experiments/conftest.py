"""What the tests of experiments share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.experiments.fake_project import FakeProject


@pytest.fixture()
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeProject:
    """A project whose trainings take no time."""
    fake = FakeProject(tmp_path / "project")
    monkeypatch.setenv("FAKE_JOURNAL", str(fake.journal))
    return fake
