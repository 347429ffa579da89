"""GIF and MP4: what is written, and what is said where nothing can be."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from gap_mmaction.visualization.movie_file import write_gif, write_mp4

PICTURES = np.full((3, 40, 60, 3), 255, np.uint8)
for _frame in range(3):
    PICTURES[_frame, 10:20, 10 * _frame : 10 * _frame + 15] = (0, 114, 178)


def test_gif(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.gif"
    write_gif(PICTURES, path, 20)
    with Image.open(path) as image:
        assert (getattr(image, "n_frames", 0), image.size) == (3, (60, 40))
        assert image.info["duration"] == 50 and image.info["loop"] == 0
        for frame, picture in enumerate(PICTURES):
            image.seek(frame)
            shown = np.asarray(image.convert("RGB"), np.int64)
            assert (shown[picture[..., 0] == 255] == 255).all()
            assert abs(shown - picture).max() < 10
    for pictures, fps, message in (([], 10, "no frames"), (PICTURES, 60, "up to 50")):
        with pytest.raises(ValueError, match=message):
            write_gif(pictures, tmp_path / "b.gif", fps)
    assert not (tmp_path / "b.gif").exists()


@pytest.mark.parametrize("has_ffmpeg", [None, False])
def test_mp4(
    has_ffmpeg: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if has_ffmpeg is False:
        monkeypatch.setattr(shutil, "which", {}.get)
    path = tmp_path / "new" / "a.mp4"
    write_mp4(PICTURES, path, 10)
    video = cv2.VideoCapture(str(path))
    assert [video.read()[0] for _ in range(4)] == [True] * 3 + [False]
    assert video.get(cv2.CAP_PROP_FPS) == 10
    assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]


FFMPEG = """#!/bin/sh
case "$*" in *-encoders*) echo libx264; exit;; *"-s 60x40"*) ;; *) exit 2;; esac
%s
"""


def test_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program, path = tmp_path / "bin" / "ffmpeg", tmp_path / "a.mp4"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    program.write_text(FFMPEG % 'for out; do :; done; cat "${out%.mp4}.rgb" >$out')
    write_mp4(PICTURES, path, 10)
    assert path.read_bytes() == PICTURES.tobytes()
    path.unlink()
    program.write_text(FFMPEG % "echo no room >&2; exit 3")
    with pytest.raises(RuntimeError, match=r"a\.mp4: .*ffmpeg: no room"):
        write_mp4(PICTURES, path, 10)
    assert not path.exists()
