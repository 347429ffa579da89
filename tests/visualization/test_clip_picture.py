"""ClipPicture: movies and sheets, with and without a model's results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gap_mmaction.apis import SkeletonResult
from gap_mmaction.visualization.clip_picture import ClipPicture, spread_frames
from gap_mmaction.visualization.panels import plain_text
from gap_mmaction.visualization.skeleton_clip import View
from gap_mmaction.visualization.skeleton_panel import PartColours
from tests.visualization.clips import make_clip

PARTS = ("global", "head", "hand")


def make_result(parts: tuple[str, ...] = PARTS) -> SkeletonResult:
    similarity = np.linspace(-0.5, 0.9, len(parts) * 4).reshape(len(parts), 4)
    return SkeletonResult(
        *("a", 1, "wave $x_$", 0.7),
        *((1, 2), ("wave $x_$", "sit"), (0.7, 0.2)),
        scores=np.array([0.05, 0.7, 0.2, 0.05], np.float32),
        parts=parts,
        part_similarity=similarity if parts else None,
    )


def make_picture(
    result: SkeletonResult | None = None, layout: str = "nw-ucla"
) -> ClipPicture:
    clip = make_clip(layout)
    colours = PartColours.of(clip.skeleton)
    slots = {"hand": "hand-arm"}
    return ClipPicture(clip, View.of(clip), colours, result, "sit", slots)


@pytest.mark.parametrize("layout", ["nw-ucla", "nturgb+d", "coco"])
def test_movie(layout: str) -> None:
    pictures = list(make_picture(layout=layout).movie([0, 2, 4]))
    assert len(pictures) == 3
    assert len({picture.shape for picture in pictures}) == 1
    height, width, channels = pictures[0].shape
    assert height % 2 == width % 2 == 0 and channels == 3
    assert (pictures[0] != pictures[1]).any()


def bars_of(figure: Figure) -> list[Any]:
    return [a for a in figure.findobj(Axes) if len(a.patches) > 1]


def test_prediction_and_parts() -> None:
    assert not bars_of(make_picture().sheet([0]))
    assert len(bars_of(make_picture(make_result(())).sheet([0]))) == 1
    sheet = make_picture(make_result()).sheet([0, 1, 2, 3], columns=3)
    words: Any = [a for a in sheet.findobj() if hasattr(a, "get_text")]
    words = {text.get_text() for text in words}
    assert {"class: sit", "predicted: wave \\$x_\\$", "0.70"} <= words
    assert {"1", "2", "3", "4", *PARTS} <= words
    similarity, scores = sorted(bars_of(sheet), key=lambda a: -len(a.patches))
    assert [bar.get_width() for bar in scores.patches] == [0.7, 0.2]
    wanted = make_result().part_similarity
    assert wanted is not None
    widths = [bar.get_width() for bar in similarity.patches]
    np.testing.assert_allclose(widths, wanted[:, [1, 2]].reshape(-1))
    sheet.canvas.draw()  # a formula in a name would fail here


def test_spread_frames_and_plain_text() -> None:
    assert spread_frames(5, 12) == [0, 1, 2, 3, 4]
    assert spread_frames(100, 4) == [0, 33, 66, 99]
    assert spread_frames(9, 1) == [0]
    assert plain_text("sit down") == "sit down"
    assert plain_text("a\nb\x00") == "a b "
    assert plain_text("pick up with two hands", 12) == "pick up with\ntwo hands"
    assert len(plain_text("x" * 10_000)) == 300
