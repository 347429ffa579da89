"""ClipPicture: all that is drawn of a clip, as a movie or a contact sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure, SubFigure
from matplotlib.lines import Line2D

from gap_mmaction.apis import Segment, SkeletonResult

from .panels import hide_frame, plain_text
from .skeleton_clip import SkeletonClip, View
from .skeleton_panel import NO_PART, PartColours, SkeletonPanel, window_of
from .timeline_bar import BAR_WIDTH, bar_height, draw_timeline, name_at

RIGHT, WRONG, UNKNOWN = "#2a7f3f", "#b5432e", "#4d4d4d"
_OTHER = "#bdbdbd"
_GREY = "0.45"
_DPI = 100
_NAME_WIDTH = 18


@dataclass(frozen=True)
class ClipPicture:
    """A clip with its colours, its view and what a model says of it."""

    clip: SkeletonClip
    view: View
    colours: PartColours
    result: SkeletonResult | None = None
    label_name: str | None = None  # of the true class, where that is known
    # The part of the layout that each slot of the text branch pools, for its colour.
    slot_parts: Mapping[str, str] = field(default_factory=dict)
    segments: Sequence[Segment] = ()  # a timeline, drawn below the bodies
    times: Sequence[float] = ()  # seconds of the frames, with segments

    def movie(self, frames: Sequence[int], height: float = 4.2) -> Iterator[np.ndarray]:
        """Draws frames, by their indices, with bodies in hundreds of pixels of height.

        Yields pictures ``[height, width, 3]``, uint8, all of the same even size.
        """
        points = self.view.project(self.clip.keypoint[self.clip.visible])
        floor = self.view.floor(self.clip).reshape(-1, 2)
        span = np.ptp(np.concatenate([points, floor]), axis=0)
        figure, body, bar = self._layout(_panel_size(span, height))
        axes = body.add_axes((0.02, 0.07, 0.96, 0.91))
        panel = SkeletonPanel(axes, self.clip, self.view, self.colours, scale=1.25)
        counter = body.text(0.5, 0.02, "", ha="center", fontsize=9, color=_GREY)
        canvas = FigureCanvasAgg(figure)
        moving = [panel.bones, panel.joints, counter]
        cursor = None if bar is None else bar.axvline(0, color="black", linewidth=1.2)
        moving += [] if cursor is None else [cursor]
        for artist in moving:
            artist.set_animated(True)
        canvas.draw()
        # All else is drawn once: text takes most of the time.
        background = canvas.copy_from_bbox(figure.bbox)
        for frame in frames:
            panel.show(frame)
            counter.set_text(f"frame {frame + 1} of {self.clip.num_frames}")
            if cursor is not None:
                cursor.set_xdata([self.times[frame]] * 2)
                counter.set_text(name_at(self.segments, self.times[frame]))
            canvas.restore_region(background)
            for artist in moving:
                figure.draw_artist(artist)
            picture = np.asarray(canvas.buffer_rgba())[..., :3]
            rows, columns = (size - size % 2 for size in picture.shape[:2])
            yield picture[:rows, :columns].copy()

    def sheet(self, frames: Sequence[int], columns: int = 6) -> Figure:
        """Draws frames, by their indices, each with the bodies in the middle."""
        width, height = _panel_size(window_of(self.clip, self.view), 2.3)
        rows = -(-len(frames) // columns)
        columns = -(-len(frames) // rows)  # as many in each row, if that is possible
        figure, body, _ = self._layout((columns * width, rows * height))
        for i, frame in enumerate(frames):
            row, column = divmod(i, columns)
            left, bottom = column / columns, 1 - (row + 1) / rows
            axes = body.add_axes((left, bottom + 0.06 / rows, 1 / columns, 0.93 / rows))
            panel = SkeletonPanel(
                axes, self.clip, self.view, self.colours, scale=0.9, follow=True
            )
            panel.show(frame)
            middle, low = left + 0.5 / columns, bottom + 0.015 / rows
            number = str(frame + 1)
            body.text(middle, low, number, ha="center", fontsize=8, color=_GREY)
        return figure

    def _layout(
        self, body_size: tuple[float, float]
    ) -> tuple[Figure, SubFigure, Axes | None]:
        """Makes room for the bodies; draws heading, legend, scores and the timeline."""
        result, side = self.result, 0.0
        width, height = max(body_size[0], 3.2), body_size[1]
        if result is not None:
            height = max(height, 0.9 + 0.52 * len(result.top_labels))
            side = 3.4 if result.part_similarity is None else 6.0
        heights = [0.55, height, 0.32]
        if self.segments:
            heights.append(bar_height(self.segments))
            width = max(width, BAR_WIDTH - side)
        figure = Figure(figsize=(width + side, sum(heights)), dpi=_DPI)
        rows: Any = figure.subfigures(
            len(heights), 1, height_ratios=heights, hspace=0, wspace=0
        )
        body = rows[1]
        if result is not None:
            body, beside = body.subfigures(
                1, 2, width_ratios=[width, side], hspace=0, wspace=0
            )
            self._draw_bars(beside, result)
        self._draw_title(rows[0], int(11 * (width + side)))
        self._draw_legend(rows[2])
        bar = draw_timeline(rows[3], self.segments) if self.segments else None
        return figure, body, bar

    def _draw_title(self, head: SubFigure, width: int) -> None:
        name = plain_text(self.clip.name)
        if len(name) > width:  # a path: its end says more than its start
            name = f"...{name[3 - width :]}"
        head.text(0.03, 0.62, name, fontsize=11, weight="bold", va="center")
        if self.label_name is not None:
            text = f"class: {plain_text(self.label_name)}"
            head.text(0.03, 0.18, text, fontsize=10, va="center", color="0.2")
        if self.result is not None:
            colour = RIGHT if self.clip.label == self.result.label else WRONG
            if self.clip.label is None:
                colour = UNKNOWN
            text = f"predicted: {plain_text(self.result.label_name)}"
            x, side = (0.03, "left") if self.label_name is None else (0.98, "right")
            head.text(x, 0.18, text, fontsize=10, va="center", ha=side, color=colour)

    def _draw_legend(self, foot: SubFigure) -> None:
        entries = dict(self.colours.parts)
        if self.result is not None and self.result.part_similarity is not None:
            entries = {slot: self._slot_colour(slot) for slot in self.result.parts}
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

    def _draw_bars(self, side: SubFigure, result: SkeletonResult) -> None:
        if result.part_similarity is None:
            axes = side.add_axes((0.40, 0.10, 0.57, 0.80))
        else:
            axes = side.add_axes((0.60, 0.10, 0.37, 0.80))
            colours = [self._slot_colour(slot) for slot in result.parts]
            values = result.part_similarity[:, list(result.top_labels)]
            _draw_similarity(axes, values, colours)
            axes = side.add_axes((0.23, 0.10, 0.32, 0.80))
        _draw_scores(axes, result, self.clip.label)

    def _slot_colour(self, slot: str) -> str:
        return self.colours.parts.get(self.slot_parts.get(slot, slot), NO_PART)


def _draw_scores(axes: Axes, result: SkeletonResult, label: int | None) -> None:
    """Draws a bar for each of the most likely classes, the true one in green."""
    rows = np.arange(len(result.top_labels))
    names = [plain_text(name, _NAME_WIDTH) for name in result.top_names]
    first = UNKNOWN if label is None else WRONG
    colours = [
        RIGHT if other == label else _OTHER if row else first
        for row, other in enumerate(result.top_labels)
    ]
    axes.barh(rows, result.top_scores, height=0.62, color=colours)
    for row, score in enumerate(result.top_scores):
        axes.text(max(score, 0) + 0.02, row, f"{score:.2f}", va="center", fontsize=8)
    axes.set_yticks(rows, names, fontsize=9)
    # Scores are probabilities, unless the config says otherwise.
    axes.set_xlim(min(0, *result.top_scores), 1.18 * max(1, *result.top_scores))
    axes.set_xticks([0, 0.5, 1])
    _finish_bars(axes, len(rows), "score")


def _draw_similarity(axes: Axes, values: np.ndarray, colours: Sequence[str]) -> None:
    """Draws for the same classes the cosines ``[K, classes]`` of parts and texts."""
    rows, height = np.arange(values.shape[1]), 0.8 / len(values)
    for slot, colour in enumerate(colours):
        places = rows - 0.4 + (slot + 0.5) * height
        axes.barh(places, values[slot], height=0.85 * height, color=colour)
    axes.set_xlim(1.05 * min(0.0, values.min()), 1.05 * max(0.2, values.max()))
    axes.axvline(0, color="0.3", linewidth=0.7)
    axes.set_yticks(rows, [""] * len(rows))
    _finish_bars(axes, len(rows), "cosine with the text, by part")


def spread_frames(num_frames: int, count: int) -> list[int]:
    """Chooses up to ``count`` frames, from the first to the last of the clip."""
    count = min(count, num_frames)
    return [int(i) for i in np.round(np.linspace(0, num_frames - 1, count))]


def _finish_bars(axes: Axes, count: int, title: str) -> None:
    axes.set_ylim(count - 0.5, -0.5)  # the first on top
    axes.set_title(title, fontsize=9, loc="left")
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", color="0.92")
    axes.set_axisbelow(True)
    hide_frame(axes, ("top", "right", "left"))


def _panel_size(span: np.ndarray, height: float) -> tuple[float, float]:
    """Fits the size of a panel, in inches, to what it shows; very wide ones shrink."""
    ratio = float(np.clip(span[0] / max(span[1], 1e-9), 0.6, 2.2))
    return height * ratio, height
