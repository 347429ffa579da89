"""Movies in files."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image

from gap_mmaction.utils.files import atomic_file, write_file

MAX_GIF_FPS = 50
"""Browsers slow faster ones down to ten frames a second."""

_NEARLY_WHITE = 247


def write_gif(
    pictures: Iterable[np.ndarray], path: Path | BinaryIO, fps: float
) -> None:
    """Writes pictures ``[height, width, 3]``, uint8, as a GIF that repeats.

    It is written whole or not at all, up to :data:`MAX_GIF_FPS` pictures per second.
    """
    if not 0 < fps <= MAX_GIF_FPS:
        raise ValueError(f"fps={fps:g}: a GIF has up to {MAX_GIF_FPS} frames a second")
    images: list[Image.Image] = []
    for picture in pictures:
        image = Image.fromarray(picture)
        # One palette for all: with one each, colours would flicker.
        palette = images[0] if images else _palette(image)
        images.append(image.quantize(palette=palette, dither=Image.Dither.NONE))
    if not images:
        raise ValueError("a movie of no frames")
    stream = atomic_file(path) if isinstance(path, Path) else nullcontext(path)
    with stream as file:
        images[0].save(
            file,
            format="GIF",
            save_all=True,
            append_images=images[1:],
            duration=round(1000 / fps),
            loop=0,
        )


def write_mp4(pictures: Iterable[np.ndarray], path: Path, fps: float) -> None:
    """Writes pictures ``[height, width, 3]``, uint8, of even size as an MP4.

    It is written whole or not at all. With ``ffmpeg`` on the PATH it is H.264, which
    browsers play; else it is MPEG-4 Part 2 by OpenCV, which players play.

    Raises:
        RuntimeError: If neither program has an encoder; the message says what to do.
    """
    remaining = iter(pictures)
    first = next(remaining, None)
    if first is None:
        raise ValueError("a movie of no frames")
    encode = _by_ffmpeg if _has_ffmpeg() else _by_opencv
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "movie.mp4"
        height, width, _ = first.shape
        problem = encode(chain([first], remaining), (width, height), file, fps)
        if problem:
            raise RuntimeError(
                f"{path}: no MP4 can be written here: {problem}. Install ffmpeg with "
                "libx264 (apt install ffmpeg, conda install ffmpeg), or write a .gif "
                "or .png"
            )
        write_file(path, file.read_bytes())


def _palette(image: Image.Image) -> Image.Image:
    """Chooses 128 colours, white as white as it is."""
    found = image.quantize(colors=128, dither=Image.Dither.NONE)
    colours = np.array(found.getpalette(), np.int64).reshape(-1, 3)
    # Pillow finds the nearest colour by six bits of each channel.
    colours[(colours >= _NEARLY_WHITE).all(axis=1)] = 255
    found.putpalette(colours.reshape(-1).tolist())
    return found


def _has_ffmpeg() -> bool:
    """Says whether there is an ffmpeg that writes H.264."""
    if shutil.which("ffmpeg") is None:
        return False
    command = ["ffmpeg", "-hide_banner", "-encoders"]
    done = subprocess.run(command, capture_output=True, check=False)
    return b"libx264" in done.stdout


def _by_ffmpeg(
    pictures: Iterable[np.ndarray], size: tuple[int, int], file: Path, fps: float
) -> str:
    """Writes the file; returns what went wrong, or nothing."""
    command = ["ffmpeg", "-y", "-loglevel", "error", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgb24", "-s", "{}x{}".format(*size), "-r", f"{fps:g}"]
    command += ["-i", str(file.with_suffix(".rgb")), "-c:v", "libx264", "-crf", "20"]
    command += ["-pix_fmt", "yuv420p", "-movflags", "+faststart", str(file)]
    with file.with_suffix(".rgb").open("wb") as stream:
        for picture in pictures:
            stream.write(picture.tobytes())
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"ffmpeg: {done.stderr.strip()}" if done.returncode else ""


def _by_opencv(
    pictures: Iterable[np.ndarray], size: tuple[int, int], file: Path, fps: float
) -> str:
    """Writes the file; returns what went wrong, or nothing."""
    code = cv2.VideoWriter.fourcc(*"mp4v")
    writer = cv2.VideoWriter(str(file), code, fps, size)
    if not writer.isOpened():
        return "ffmpeg is not there, and OpenCV has no encoder for mp4v"
    for picture in pictures:
        writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    writer.release()
    return ""
