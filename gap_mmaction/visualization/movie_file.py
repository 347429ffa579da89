"""Movies in files."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from gap_mmaction.utils.atomic_file import atomic_file

MAX_GIF_FPS = 50
"""Browsers slow faster ones down to ten frames a second."""


_NEARLY_WHITE = 247


def write_gif(pictures: Iterable[np.ndarray], path: Path, fps: float) -> int:
    """Write a GIF that repeats, whole or not at all.

    Args:
        pictures: ``[height, width, 3]``, uint8, of the same size.
        path: The file.
        fps: Pictures per second, up to :data:`MAX_GIF_FPS`.

    Returns:
        The number of pictures.

    Raises:
        OSError: If it cannot be written.
        ValueError: If there is no picture, or ``fps`` is out of range.
    """
    with atomic_file(path) as stream:
        return write_gif_to(stream, pictures, fps)


def write_gif_to(stream: BinaryIO, pictures: Iterable[np.ndarray], fps: float) -> int:
    """Write a GIF into an open file; see :func:`write_gif`."""
    if not 0 < fps <= MAX_GIF_FPS:
        raise ValueError(f"fps={fps:g}: a GIF has up to {MAX_GIF_FPS} frames a second")
    images: list[Image.Image] = []
    for picture in pictures:
        image = Image.fromarray(picture)
        # One palette for all: with one each, colours would flicker.
        palette = _palette(image) if not images else images[0]
        images.append(image.quantize(palette=palette, dither=Image.Dither.NONE))
    if not images:
        raise ValueError("a movie of no frames")
    images[0].save(
        stream,
        format="GIF",
        save_all=True,
        append_images=images[1:],
        duration=round(1000 / fps),
        loop=0,
    )
    return len(images)


def _palette(image: Image.Image) -> Image.Image:
    """Choose 128 colours, white as white as it is."""
    found = image.quantize(colors=128, dither=Image.Dither.NONE)
    colours = np.array(found.getpalette(), np.int64).reshape(-1, 3)
    # Pillow finds the nearest colour by six bits of each channel.
    colours[(colours >= _NEARLY_WHITE).all(axis=1)] = 255
    found.putpalette(colours.reshape(-1).tolist())
    return found


def write_mp4(pictures: Iterable[np.ndarray], path: Path, fps: float) -> int:
    """Write an MP4, whole or not at all.

    With ``ffmpeg`` on the PATH it is H.264, which browsers play; else it is MPEG-4
    Part 2 by OpenCV, which players play.

    Args:
        pictures: ``[height, width, 3]``, uint8, of the same even size.
        path: The file.
        fps: Pictures per second.

    Returns:
        The number of pictures.

    Raises:
        OSError: If it cannot be written.
        ValueError: If there is no picture.
        RuntimeError: If neither program has an encoder; the message says what to do.
    """
    remaining = iter(pictures)
    first = next(remaining, None)
    if first is None:
        raise ValueError("a movie of no frames")
    encode = _by_ffmpeg if _has_ffmpeg() else _by_opencv
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "movie.mp4"
        count, problem = encode(itertools.chain([first], remaining), file, fps)
        if problem or not file.is_file() or not file.stat().st_size:
            raise RuntimeError(
                f"{path}: no MP4 can be written here: {problem or 'it is empty'}. "
                "Install ffmpeg with libx264 (apt install ffmpeg, conda install "
                "ffmpeg), or write a .gif or .png"
            )
        with atomic_file(path) as stream:
            stream.write(file.read_bytes())
    return count


def _has_ffmpeg() -> bool:
    """Say whether there is an ffmpeg that writes H.264."""
    if shutil.which("ffmpeg") is None:
        return False
    command = ["ffmpeg", "-hide_banner", "-encoders"]
    done = subprocess.run(command, capture_output=True, check=False)
    return b"libx264" in done.stdout


def _by_ffmpeg(
    pictures: Iterable[np.ndarray], file: Path, fps: float
) -> tuple[int, str]:
    """Give the number of pictures, and what went wrong or nothing."""
    remaining = iter(pictures)
    first = next(remaining)
    height, width = first.shape[:2]
    command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}"]
    command += ["-i", "-", "-an", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    command += ["-crf", "20", "-movflags", "+faststart", str(file)]
    log = file.with_suffix(".log")
    count = 0
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors
        ) as process,
    ):
        assert process.stdin is not None
        try:
            for picture in itertools.chain([first], remaining):
                process.stdin.write(np.ascontiguousarray(picture).tobytes())
                count += 1
            process.stdin.close()
        except BrokenPipeError:
            pass  # it has stopped, and says why
    lines = log.read_text("utf-8", errors="replace").strip().splitlines()
    if process.returncode:
        said = lines[-1] if lines else f"exit status {process.returncode}"
        return count, f"ffmpeg: {said}"
    return count, ""


def _by_opencv(
    pictures: Iterable[np.ndarray], file: Path, fps: float
) -> tuple[int, str]:
    """Give the number of pictures, and what went wrong or nothing."""
    writer: cv2.VideoWriter | None = None
    count = 0
    for picture in pictures:
        if writer is None:
            height, width = picture.shape[:2]
            code = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(file), code, fps, (width, height))
            if not writer.isOpened():
                return 0, "ffmpeg is not there, and OpenCV has no encoder for mp4v"
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        count += 1
    if writer is not None:
        writer.release()
    return count, ""
