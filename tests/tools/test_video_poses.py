"""tools/infer.py --video, with stand-ins for the packages that find poses."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import cv2
import numpy as np
import pytest

from tests.processes import ROOT, run_python

FRAMES, SIZE = 80, (96, 128)  # height, width
RTMLIB = """
    import numpy as np

    class RTMO:
        def __init__(self, model):
            assert model == "rtmo.onnx"

        def __call__(self, picture):
            assert picture.shape == (96, 128, 3)
            person = np.stack([np.linspace(10, 60, 17), np.linspace(5, 90, 17)], 1)
            people = 0 if picture.mean() < 10 else 1
            return person[None][:people], np.full((people, 17), 0.5)
"""
MEDIAPIPE = """
    from types import SimpleNamespace as Space
    import numpy as np
    from tests.apis.poses.known_person import make_world_landmarks

    Image, ImageFormat = Space, Space(SRGB=1)
    BaseOptions, PoseLandmarkerOptions, RunningMode = Space, Space, Space(VIDEO=2)

    class PoseLandmarker:
        def create_from_options(options):
            assert options.base_options.model_asset_path == "pose.task"
            return PoseLandmarker()

        def detect_for_video(self, image, milliseconds):
            marks = make_world_landmarks()
            marks[:, 1] += 0.02 * np.sin(milliseconds / 100)
            marks = [Space(x=x, y=y, z=z, visibility=0.9) for x, y, z in marks]
            return Space(pose_landmarks=[marks], pose_world_landmarks=[marks])
"""


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "in.mp4"
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, SIZE[::-1]
    )
    for index in range(FRAMES):
        writer.write(np.full((*SIZE, 3), 2 * index, np.uint8))
    writer.release()
    return path


@pytest.fixture
def packages(tmp_path: Path) -> str:
    """A folder of both packages, for PYTHONPATH."""
    python = tmp_path / "mediapipe" / "tasks" / "python"
    python.mkdir(parents=True)
    for name in ("rtmlib", "mediapipe", "mediapipe/tasks"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "rtmlib" / "__init__.py").write_text(dedent(RTMLIB))
    (tmp_path / "mediapipe" / "vision.py").write_text(dedent(MEDIAPIPE))
    names = "from mediapipe.vision import Image, ImageFormat"
    (tmp_path / "mediapipe" / "__init__.py").write_text(names)
    names = "from mediapipe import vision\nBaseOptions = vision.BaseOptions\n"
    (python / "__init__.py").write_text(names)
    return f"{tmp_path}:{ROOT}"


def test_rtmlib(video: Path, packages: str, tmp_path: Path) -> None:
    out = tmp_path / "poses.json"
    script = ROOT / "tools" / "video_poses.py"
    run_python(script, video, "rtmo.onnx", out, PYTHONPATH=packages)
    content = json.loads(out.read_text())
    assert content["img_shape"] == list(SIZE)
    np.testing.assert_allclose(content["times"], np.arange(FRAMES) / 25, atol=1e-3)
    assert content["frames"][0] == []  # nobody in the dark
    (person,) = content["frames"][-1]
    assert person["keypoints"]["x"][-1] == 60 and person["keypoints"]["y"][0] == 5
    assert person["keypoints"]["visible"] == [0.5] * 17


def test_timeline_of_a_video(video: Path, packages: str, tmp_path: Path) -> None:
    out = tmp_path / "segments.json"
    command = [ROOT / "tools" / "infer.py", "--video", video, "--timeline"]
    command += ["--pose-model", "pose.task", "--model", "utd_mhad", "--out", out]
    run_python(*command, PYTHONPATH=packages)
    segments = json.loads(out.read_text())["segments"]
    assert segments[0]["start"] == 0
    assert segments[-1]["end"] == pytest.approx((FRAMES - 1) / 25, abs=1e-3)


def test_nothing_installed_or_no_video(video: Path, tmp_path: Path) -> None:
    command = [ROOT / "tools" / "infer.py", "--model", "utd_mhad", "--video", video]
    command += ["--out", tmp_path / "x.json", "--pose-model"]
    with pytest.raises(AssertionError, match=r"No module named 'rtmlib'[\s\S]*docs/"):
        run_python(*command, "rtmo.onnx")
    with pytest.raises(AssertionError, match="give INPUT, or --video"):
        run_python(*command[:3], "--out", tmp_path / "x.json")
