"""ClipPicture, movies and sheets."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from gap_mmaction.apis.skeleton_result import SkeletonResult
from gap_mmaction.visualization.clip_picture import ClipPicture, spread_frames
from gap_mmaction.visualization.movie_file import write_gif, write_gif_to, write_mp4
from gap_mmaction.visualization.part_colours import PartColours
from gap_mmaction.visualization.view import View
from tests.visualization.clips import make_clip

PARTS = ("global", "head", "hand")


def make_result(parts: tuple[str, ...] = PARTS) -> SkeletonResult:
    similarity = np.linspace(-0.5, 0.9, len(parts) * 4).reshape(len(parts), 4)
    return SkeletonResult(
        name="a",
        label=1,
        label_name="wave $x_$",
        score=0.7,
        top_labels=(1, 2),
        top_names=("wave $x_$", "sit"),
        top_scores=(0.7, 0.2),
        scores=np.array([0.05, 0.7, 0.2, 0.05], np.float32),
        parts=parts,
        part_similarity=similarity if parts else None,
    )


def make_picture(
    result: SkeletonResult | None = None, layout: str = "nw-ucla"
) -> ClipPicture:
    clip = make_clip(layout)
    return ClipPicture(
        clip,
        View.of(clip),
        PartColours.of(clip.skeleton),
        result,
        "sit",
        {"hand": "hand-arm"},
    )


def texts(figure: Figure) -> list[str]:
    found: list[Any] = [*figure.findobj(match=_is_text)]
    return [text.get_text() for text in found]


def _is_text(artist: object) -> bool:
    return hasattr(artist, "get_text")


@pytest.mark.parametrize("layout", ["nw-ucla", "nturgb+d", "coco"])
def test_movie(layout: str, tmp_path: Path) -> None:
    pictures = list(make_picture(layout=layout).movie([0, 2, 4]))
    assert len(pictures) == 3
    assert len({picture.shape for picture in pictures}) == 1
    height, width, channels = pictures[0].shape
    assert height % 2 == width % 2 == 0 and channels == 3
    assert (pictures[0] != pictures[1]).any()
    assert (pictures[0][0, 0] == 255).all()
    path = tmp_path / "new" / "a.gif"
    assert write_gif(pictures, path, 20) == 3
    with Image.open(path) as image:
        assert (getattr(image, "n_frames", 0), image.size) == (3, (width, height))
        assert image.info["duration"] == 50 and image.info["loop"] == 0
        for frame in range(3):
            image.seek(frame)
            assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    bare = next(make_picture(layout=layout).movie([0], bare=True, height=2))
    assert bare.shape[0] < height / 2


def test_prediction_and_parts() -> None:
    picture = make_picture(make_result())
    sheet = picture.sheet([0, 1, 2, 3], columns=3)
    words = texts(sheet)
    assert "class: sit" in words
    assert "predicted: wave \\$x_\\$" in words
    assert {"1", "2", "3", "4", "0.70", *PARTS} <= set(words)
    panels: list[Any] = [*sheet.findobj(match=_is_bars)]
    scores, similarity = panels
    assert [bar.get_width() for bar in scores.patches] == [0.7, 0.2]
    wanted = make_result().part_similarity
    assert wanted is not None
    widths = [bar.get_width() for bar in similarity.patches]
    np.testing.assert_allclose(widths, wanted[:, [1, 2]].reshape(-1))
    sheet.canvas.draw()  # a formula in a name would fail here


def _is_bars(artist: object) -> bool:
    return len(getattr(artist, "patches", ())) > 1 and hasattr(artist, "get_xlim")


def test_without_parts_and_without_anything() -> None:
    sheet = make_picture(make_result(())).sheet([0])
    assert len(sheet.findobj(match=_is_bars)) == 1
    assert not make_picture().sheet([0]).findobj(match=_is_bars)


def test_spread_frames() -> None:
    assert spread_frames(5, 12) == [0, 1, 2, 3, 4]
    assert spread_frames(100, 4) == [0, 33, 66, 99]
    assert spread_frames(9, 1) == [0]


class TestMp4:
    pictures = tuple(make_picture().movie([0, 2, 4]))

    def read(self, path: Path) -> tuple[int, float]:
        video = cv2.VideoCapture(str(path))
        count = 0
        while video.read()[0]:
            count += 1
        return count, video.get(cv2.CAP_PROP_FPS)

    def test_here(self, tmp_path: Path) -> None:
        path = tmp_path / "new" / "a.mp4"
        assert write_mp4(self.pictures, path, 10) == 3
        assert self.read(path) == (3, 10)
        assert [file.name for file in path.parent.iterdir()] == ["a.mp4"]

    def test_without_ffmpeg(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "which", {}.get)
        assert write_mp4(self.pictures, tmp_path / "a.mp4", 10) == 3
        assert self.read(tmp_path / "a.mp4") == (3, 10)

    def test_without_either(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(shutil, "which", {}.get)
        monkeypatch.setattr(cv2, "VideoWriter", Broken)
        with pytest.raises(RuntimeError, match=r"a\.mp4: .*OpenCV has no encoder"):
            write_mp4(self.pictures, tmp_path / "a.mp4", 10)
        assert not list(tmp_path.iterdir())

    def test_ffmpeg_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = tmp_path / "bin" / "ffmpeg"
        program.parent.mkdir()
        program.write_text(
            '#!/bin/sh\ncase "$*" in *-encoders*) echo libx264;; '
            "*) echo no room >&2; exit 3;; esac\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=":")
        with pytest.raises(RuntimeError, match="ffmpeg: no room"):
            write_mp4(self.pictures, tmp_path / "a.mp4", 10)
        assert [path.name for path in tmp_path.iterdir()] == ["bin"]


class Broken:
    """A writer without an encoder."""

    def __init__(self, *args: object) -> None:
        pass

    @staticmethod
    def fourcc(*letters: str) -> int:
        return 0

    def isOpened(self) -> bool:  # noqa: N802
        return False


def test_wrong_movies(tmp_path: Path) -> None:
    for write in (write_gif, write_mp4):
        with pytest.raises(ValueError, match="no frames"):
            write([], tmp_path / "a", 10)
    with pytest.raises(ValueError, match="up to 50"):
        write_gif_to(io.BytesIO(), [], 60)
    assert not list(tmp_path.iterdir())
