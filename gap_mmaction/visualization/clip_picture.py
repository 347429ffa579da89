"""ClipPicture: all that is drawn of a clip, as a movie or a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from gap_mmaction.apis.skeleton_result import SkeletonResult

from .part_colours import NO_PART, PartColours
from .plain_text import plain_text
from .prediction_panel import RIGHT, UNKNOWN, WRONG, draw_scores, draw_similarity
from .skeleton_clip import SkeletonClip
from .skeleton_panel import SkeletonPanel, window_of
from .view import View

_DPI = 100
_GREY = "0.45"


@dataclass(frozen=True)
class ClipPicture:
    """A clip with its colours, its view and what a model says of it.

    Attributes:
        clip: The clip.
        view: From where it is looked at.
        colours: Of its layout.
        result: What a model says of it, or None.
        label_name: The true class, or None where that is not known.
        slot_parts: The part of the layout that each slot of the text branch pools,
            which gives the slot's colour.
    """

    clip: SkeletonClip
    view: View
    colours: PartColours
    result: SkeletonResult | None = None
    label_name: str | None = None
    slot_parts: Mapping[str, str] = field(default_factory=dict)

    def movie(
        self, frames: Sequence[int], bare: bool = False, height: float = 4.2
    ) -> Iterator[np.ndarray]:
        """Draw frames.

        Args:
            frames: Their indices.
            bare: Whether to leave out name and class above and the colours below.
            height: Of the bodies' panel, in hundreds of pixels.

        Yields:
            Pictures ``[height, width, 3]``, uint8, all of the same even size.
        """
        panel_size = _panel_size(self._span(), height)
        figure, body, side = self._layout(panel_size, bare)
        axes = body.add_axes((0.02, 0.07, 0.96, 0.91))
        panel = SkeletonPanel(axes, self.clip, self.view, self.colours, scale=1.25)
        self._draw_side(side)
        counter = body.text(0.5, 0.02, "", ha="center", fontsize=9, color=_GREY)
        canvas = FigureCanvasAgg(figure)
        moving = (*panel.artists, counter)
        for artist in moving:
            artist.set_animated(True)
        canvas.draw()
        # All else is drawn once: text takes most of the time.
        background = canvas.copy_from_bbox(figure.bbox)
        for frame in frames:
            panel.show(frame)
            counter.set_text(f"frame {frame + 1} of {self.clip.num_frames}")
            canvas.restore_region(background)
            for artist in moving:
                figure.draw_artist(artist)
            picture = np.asarray(canvas.buffer_rgba())[..., :3]
            height, width = (size - size % 2 for size in picture.shape[:2])
            yield picture[:height, :width].copy()

    def sheet(self, frames: Sequence[int], columns: int = 6) -> Figure:
        """Draw frames side by side, each with the bodies in the middle.

        Args:
            frames: Their indices.
            columns: How many stand in a row at most.

        Returns:
            The picture.
        """
        width, height = _panel_size(window_of(self.clip, self.view), 2.3)
        rows = -(-len(frames) // columns)
        columns = -(-len(frames) // rows)  # as many in each row, if that is possible
        size = (columns * width, rows * height)
        figure, body, side = self._layout(size, False)
        for i, frame in enumerate(frames):
            row, column = divmod(i, columns)
            left, bottom = column / columns, 1 - (row + 1) / rows
            axes = body.add_axes((left, bottom + 0.06 / rows, 1 / columns, 0.93 / rows))
            panel = SkeletonPanel(
                axes, self.clip, self.view, self.colours, scale=0.9, follow=True
            )
            panel.show(frame)
            body.text(
                left + 0.5 / columns,
                bottom + 0.015 / rows,
                f"{frame + 1}",
                ha="center",
                fontsize=8,
                color=_GREY,
            )
        self._draw_side(side)
        return figure

    def _span(self) -> np.ndarray:
        """Give width and height of what a panel shows."""
        points = self.view.project(self.clip.keypoint[self.clip.visible])
        floor = self.view.floor(self.clip).reshape(-1, 2)
        return np.ptp(np.concatenate([points, floor]), axis=0)

    def _layout(
        self, body_size: tuple[float, float], bare: bool
    ) -> tuple[Figure, SubFigure, SubFigure | None]:
        """Make room for a heading, the body, the legend below and the bars beside."""
        side = self._side_width()
        # A row of no height would have no place in the figure.
        top, bottom = (1e-3, 1e-3) if bare else (0.55, 0.32)
        height = body_size[1]
        if self.result is not None:
            height = max(height, 0.9 + 0.52 * len(self.result.top_labels))
        width = body_size[0] if bare else max(body_size[0], 3.2)
        figure = Figure(figsize=(width + side, height + top + bottom), dpi=_DPI)
        rows: Any = figure.subfigures(
            3, 1, height_ratios=[top, height, bottom], hspace=0, wspace=0
        )
        body, beside = rows[1], None
        if side:
            body, beside = rows[1].subfigures(
                1, 2, width_ratios=[width, side], hspace=0, wspace=0
            )
        if not bare:
            self._draw_title(rows[0], int(11 * (width + side)))
            self._draw_legend(rows[2])
        return figure, body, beside

    def _side_width(self) -> float:
        if self.result is None:
            return 0.0
        return 3.4 if self.result.part_similarity is None else 6.0

    def _draw_title(self, head: SubFigure, width: int) -> None:
        name = plain_text(self.clip.name)
        if len(name) > width:  # a path: its end says more than its start
            name = f"...{name[3 - width :]}"
        head.text(0.03, 0.62, name, fontsize=11, weight="bold", va="center")
        lines: list[tuple[str, str]] = []
        if self.label_name is not None:
            lines.append((f"class: {plain_text(self.label_name)}", "0.2"))
        if self.result is not None:
            right = self.clip.label == self.result.label
            colour = RIGHT if right else WRONG
            if self.clip.label is None:
                colour = UNKNOWN
            lines.append((f"predicted: {plain_text(self.result.label_name)}", colour))
        if len(lines) == 2 and self._side_width():
            head.text(0.03, 0.18, lines[0][0], fontsize=10, va="center", color="0.2")
            head.text(
                0.98,
                0.18,
                lines[1][0],
                fontsize=10,
                va="center",
                ha="right",
                color=lines[1][1],
            )
        elif lines:
            head.text(
                0.03, 0.18, lines[0][0], fontsize=10, va="center", color=lines[0][1]
            )

    def _draw_legend(self, foot: SubFigure) -> None:
        entries = dict(self.colours.parts)
        if self.result is not None and self.result.part_similarity is not None:
            entries = {slot: self._slot_colours()[slot] for slot in self.result.parts}
        handles = [
            Line2D([], [], color=colour, linewidth=4, label=plain_text(name))
            for name, colour in entries.items()
        ]
        if handles:
            foot.legend(
                handles=handles,
                loc="center",
                ncols=len(handles),
                frameon=False,
                fontsize=8,
                handlelength=1.0,
                columnspacing=1.2,
                handletextpad=0.4,
            )

    def _draw_side(self, side: SubFigure | None) -> None:
        if side is None or self.result is None:
            return
        if self.result.part_similarity is None:
            draw_scores(
                side.add_axes((0.40, 0.10, 0.57, 0.80)), self.result, self.clip.label
            )
            return
        draw_scores(
            side.add_axes((0.23, 0.10, 0.32, 0.80)), self.result, self.clip.label
        )
        draw_similarity(
            side.add_axes((0.60, 0.10, 0.37, 0.80)), self.result, self._slot_colours()
        )

    def _slot_colours(self) -> dict[str, str]:
        slots = () if self.result is None else self.result.parts
        return {
            slot: self.colours.parts.get(self.slot_parts.get(slot, slot), NO_PART)
            for slot in slots
        }


def _panel_size(span: np.ndarray, height: float) -> tuple[float, float]:
    """Fit the size of a panel, in inches, to what it shows; very wide ones shrink."""
    ratio = float(np.clip(span[0] / max(span[1], 1e-9), 0.6, 2.2))
    return height * ratio, height


def spread_frames(num_frames: int, count: int) -> list[int]:
    """Choose frames over the whole length.

    Args:
        num_frames: Frames of the clip.
        count: How many to choose; a shorter clip gives all that it has.

    Returns:
        Their indices, the first and the last among them.
    """
    count = min(count, num_frames)
    return [int(i) for i in np.round(np.linspace(0, num_frames - 1, count))]
