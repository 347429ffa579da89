"""Clips as they are drawn: who is there, the view, colours, pictures, movies."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from gap_mmaction.apis import Segment, SkeletonResult
from gap_mmaction.skeletons import get_skeleton, layouts
from gap_mmaction.visualization.clip_picture import ClipPicture, spread_frames
from gap_mmaction.visualization.movie_file import write_gif, write_mp4
from gap_mmaction.visualization.panels import plain_text
from gap_mmaction.visualization.skeleton_clip import (
    UP_AXES,
    SkeletonClip,
    View,
    find_up,
)
from gap_mmaction.visualization.skeleton_panel import (
    NO_PART,
    OTHERS,
    USUAL_PARTS,
    PartColours,
    SkeletonPanel,
)
from gap_mmaction.visualization.timeline_bar import colour_of, draw_bars, name_at
from tests.visualization.clips import OWN_LAYOUT, make_clip, standing


def test_absent_persons_frames_and_joints() -> None:
    keypoint = np.repeat(standing(), 3, axis=0)
    keypoint[1] = 0
    keypoint[2, :3] = 0
    annotation = {"frame_dir": "a", "label": -1, "keypoint": keypoint}
    clip = SkeletonClip.from_annotation(annotation, get_skeleton("nw-ucla"))
    assert clip.keypoint.shape == (2, 5, 20, 3)
    assert clip.visible.all(axis=2).tolist() == [[True] * 5, [False] * 3 + [True] * 2]
    assert clip.label is None
    with pytest.raises(ValueError, match="a: nobody is there"):
        SkeletonClip.from_annotation(
            {**annotation, "keypoint": 0 * keypoint}, clip.skeleton
        )
    # Joints that are uncertain.
    keypoint = standing("coco")
    score = np.ones(keypoint.shape[:3])
    score[0, 1, 4] = 0.01
    annotation = {"keypoint": keypoint, "keypoint_score": score, "label": 3}
    clip = SkeletonClip.from_annotation(annotation, get_skeleton("coco"))
    assert np.argwhere(~clip.visible).tolist() == [[0, 1, 4]]
    assert clip.is_flat and clip.label == 3
    view = View.of(clip)
    assert view.project(np.array([3.0, 5.0])).tolist() == [3, -5]
    assert len(view.floor(clip)) == 0 and not view.depth(clip.keypoint).any()
    # A layout without heads is taken for a Kinect's.
    annotation = {"keypoint": np.ones((1, 2, 2, 3))}
    own = SkeletonClip.from_annotation(annotation, get_skeleton(OWN_LAYOUT))
    assert find_up(own) == "y"


@pytest.mark.parametrize("layout", ["nw-ucla", "nturgb+d"])
@pytest.mark.parametrize("up", UP_AXES)
def test_up(layout: str, up: str) -> None:
    axis, sign = "xyz".index(up[-1]), -1 if up[0] == "-" else 1
    skeleton = get_skeleton(layout)
    keypoint = standing(layout, axis, sign)
    clip = SkeletonClip.from_annotation({"keypoint": keypoint}, skeleton)
    assert find_up(clip) == up
    view = View.of(clip)
    # Rows of a right-handed, orthonormal frame: a rotation, no mirror, no stretching.
    np.testing.assert_allclose(view.matrix @ view.matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(view.matrix) == pytest.approx(1)
    height = view.project(clip.keypoint)[0, :, :, 1]
    above = height[:, list(skeleton.part("head"))].min()
    feet = height[:, list(skeleton.part("foot"))]
    assert above > feet.max()
    floor = view.floor(clip)
    assert len(floor) > 4 and np.isfinite(floor).all()
    assert floor[..., 1].mean() == pytest.approx(feet.mean(), abs=0.3)


def test_kinect() -> None:
    """Seen from the sensor, which has x to its left and z away from it."""
    view = View.of(make_clip(), azimuth=0, elevation=0)
    np.testing.assert_allclose(
        view.project(np.eye(3)), [[-1, 0], [0, 1], [0, 0]], atol=1e-12
    )
    assert view.depth(np.array([0, 0, 1.0])) == -1
    # To the right and up from there: near things move to the left and down.
    turned = View.of(make_clip(), azimuth=30, elevation=30)
    near = turned.project(np.array([0, 0, -1.0]))
    assert near[0] < 0 and near[1] < 0


@pytest.mark.parametrize("layout", layouts())
def test_every_joint_has_the_colour_of_a_part_that_it_is_in(layout: str) -> None:
    skeleton = get_skeleton(layout)
    colours = PartColours.of(skeleton)
    assert tuple(colours.parts) == USUAL_PARTS
    assert len(set(colours.parts.values())) == len(USUAL_PARTS)
    for joint, colour in enumerate(colours.joints):
        own = [c for p, c in colours.parts.items() if joint in skeleton.part(p)]
        assert colour in own, joint
    assert [bone[:2] for bone in colours.bones] == list(skeleton.edges)
    assert all(colours.joints[child] == c for child, _, c in colours.bones)


def test_smaller_parts_are_over_larger_ones() -> None:
    skeleton = get_skeleton("nw-ucla")
    for parts in (["leg-foot", "hip"], ["hip", "leg-foot", "global"]):
        colours = PartColours.of(skeleton, parts)
        assert "global" not in colours.parts
        assert colours.joints[12] == colours.parts["hip"]
        assert colours.joints[13] == colours.parts["leg-foot"]
        assert colours.joints[3] == NO_PART
    own = PartColours.of(get_skeleton(OWN_LAYOUT))
    assert own.joints == (NO_PART, own.parts["tip"])
    with pytest.raises(ValueError, match="has no part 'tail'"):
        PartColours.of(skeleton, ["tail"])


def make_panel(clip: SkeletonClip, follow: bool = False) -> SkeletonPanel:
    axes = Figure().add_subplot()
    colours = PartColours.of(clip.skeleton)
    return SkeletonPanel(axes, clip, View.of(clip), colours, follow=follow)


def test_joints_and_bones_have_the_colours_of_their_parts() -> None:
    clip = make_clip()
    view, panel = View.of(clip), make_panel(clip)
    colours = PartColours.of(clip.skeleton)
    for frame in (0, 3):
        panel.show(frame)
        points = view.project(clip.keypoint[0, frame])
        places = np.asarray(panel.joints.get_offsets())
        found = np.asarray(panel.joints.get_facecolor())
        assert len(places) == len(found) == 20
        # Nearer ones are drawn later.
        order = view.depth(clip.keypoint[0, frame]).argsort(kind="stable")
        np.testing.assert_array_equal(places, points[order])
        assert [to_hex(tuple(c)) for c in found] == [colours.joints[i] for i in order]
        lines = np.array(panel.bones.get_segments())
        found = np.asarray(panel.bones.get_color())
        assert len(lines) == len(clip.skeleton.edges)
        for a, b, colour in colours.bones:
            (row,) = np.flatnonzero((lines == points[[a, b]]).all(axis=(1, 2)))
            assert to_hex(tuple(found[row])) == colour


@pytest.mark.parametrize("follow", [False, True])
def test_axes_are_equal_and_hold_every_frame(follow: bool) -> None:
    clip = make_clip()
    moved = clip.keypoint + 7 * np.arange(5)[None, :, None, None]
    clip = replace(clip, keypoint=moved)
    panel = make_panel(clip, follow)
    axes = panel.joints.axes
    assert axes is not None and axes.get_aspect() == 1
    limits = []
    for frame, points in enumerate(View.of(clip).project(moved)[0]):
        panel.show(frame)
        low, high = np.transpose([axes.get_xlim(), axes.get_ylim()])
        assert (points > low).all() and (points < high).all()
        limits.append((low[0], high[0]))
    left, right = np.transpose(limits)
    np.testing.assert_allclose(right - left, right[0] - left[0])
    assert len(set(left)) == (5 if follow else 1)


def test_second_person_and_missing_joints() -> None:
    clip = make_clip()
    both = np.concatenate([clip.keypoint, clip.keypoint + 1])
    clip = replace(clip, keypoint=both, visible=np.repeat(clip.visible, 2, axis=0))
    clip.visible[1, 0, 3] = False  # the head: one joint and one bone less
    panel = make_panel(clip)
    panel.show(0)
    assert len(panel.bones.get_segments()) == 2 * 19 - 1
    opaque = np.asarray(panel.joints.get_facecolor())[:, 3]
    assert (opaque == OTHERS).sum() == 19 and (opaque == 1).sum() == 20
    clip.visible[:, 1] = False
    panel.show(1)
    assert len(np.asarray(panel.joints.get_offsets())) == 0
    assert len(panel.bones.get_segments()) == 0


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


def test_bars_of_timelines() -> None:
    bar = [Segment(0, 2, 3, "wave $x", 0.9), Segment(2, 3, -1, "none", 0.8)]
    names = [name_at(bar, time) for time in (-0.1, 0, 2, 3, 3.1)]
    assert names == ["", "wave \\$x", "none", "none", ""]
    figure = draw_bars({"true": bar, "found": [*bar, Segment(3, 4, 3, "wave $x", 0.5)]})
    figure.canvas.draw()
    bars: list[Any] = list(figure.axes[0].collections)
    places = [one.get_paths()[0].get_extents().bounds for one in bars]
    found = [(start, length, low > 0.5) for start, low, length, _ in places]
    assert found == [(0, 2, 0), (2, 1, 0), (0, 2, 1), (2, 1, 1), (3, 1, 1)]
    colours = [to_hex(one.get_facecolor()[0]) for one in bars]
    assert colours == [to_hex(colour_of(label)) for label in (3, -1, 3, -1, 3)]


def test_spread_frames_and_plain_text() -> None:
    assert spread_frames(5, 12) == [0, 1, 2, 3, 4]
    assert spread_frames(100, 4) == [0, 33, 66, 99]
    assert spread_frames(9, 1) == [0]
    assert plain_text("sit down") == "sit down"
    assert plain_text("a\nb\x00") == "a b "
    assert plain_text("pick up with two hands", 12) == "pick up with\ntwo hands"
    assert len(plain_text("x" * 10_000)) == 300


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
