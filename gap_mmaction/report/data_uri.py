"""Pictures inside a page."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from gap_mmaction.visualization.movie_file import write_gif_to

_DPI = 130


def png_uri(figure: Figure) -> str:
    """Give a picture as a data URI."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, bbox_inches="tight")
    return _uri("image/png", stream.getvalue())


def gif_uri(pictures: Iterable[np.ndarray], fps: float) -> str:
    """Give a movie as a data URI; see :func:`.write_gif_to`."""
    stream = io.BytesIO()
    write_gif_to(stream, pictures, fps)
    return _uri("image/gif", stream.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
