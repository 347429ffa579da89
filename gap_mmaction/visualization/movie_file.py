"""Movies in files."""

from __future__ import annotations

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
    frames = list(pictures)
    if not frames:
        raise ValueError("a movie of no frames")
    problems = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "movie.mp4"
        for encode in (_by_ffmpeg, _by_opencv):
            problem = encode(frames, file, fps)
            if not problem and file.is_file() and file.stat().st_size:
                with atomic_file(path) as stream:
                    stream.write(file.read_bytes())
                return len(frames)
            problems.append(problem or "it wrote an empty file")
    raise RuntimeError(
        f"{path}: no MP4 can be written here. ffmpeg: {problems[0]}; OpenCV: "
        f"{problems[1]}. Install ffmpeg (apt install ffmpeg, conda install ffmpeg), or "
        "write a .gif or .png"
    )


def _by_ffmpeg(frames: list[np.ndarray], file: Path, fps: float) -> str:
    """Give an empty string, or what is wrong."""
    program = shutil.which("ffmpeg")
    if program is None:
        return "is not on the PATH"
    height, width = frames[0].shape[:2]
    command = [program, "-y", "-loglevel", "error", "-f", "rawvideo"]
    command += ["-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{fps:g}"]
    command += ["-i", "-", "-an", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    command += ["-crf", "20", "-movflags", "+faststart", str(file)]
    data = b"".join(np.ascontiguousarray(frame).tobytes() for frame in frames)
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit status {done.returncode}"
    return ""


def _by_opencv(frames: list[np.ndarray], file: Path, fps: float) -> str:
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(
        str(file), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width, height)
    )
    if not writer.isOpened():
        return "has no encoder for mp4v"
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return ""
