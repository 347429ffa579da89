"""Labels from text files and from description files."""

from __future__ import annotations

from pathlib import Path

import pytest

from gap_mmaction.generation.labels import read_labels
from tests.models.text_common import LABELS, write_descriptions


def test_text(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbfsit down\r\n\r\n# later:\r\n  stand   up \r\nthrow")
    assert read_labels(path) == ["sit down", "stand up", "throw"]


def test_descriptions(tmp_path: Path) -> None:
    assert read_labels(Path(write_descriptions(tmp_path))) == list(LABELS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb\n a \n", r"labels\.txt, line 3: the label 'a' stands at line 1"),
        (b"\n# none\n", r"labels\.txt holds no label"),
        (b"\xff", r"labels\.txt is no UTF-8 text"),
    ],
)
def test_bad_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_labels(path)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no file of labels"):
        read_labels(tmp_path / "labels.txt")
    with pytest.raises(FileNotFoundError, match="no description file"):
        read_labels(tmp_path / "labels.yaml")
