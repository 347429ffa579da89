#!/usr/bin/env python
"""Find the poses in a video by an estimator that is installed, and write them as JSON.

tools/infer.py --video runs it, in another Python where the estimator's packages do not
fit this project's: it needs OpenCV and rtmlib or mediapipe, and nothing of the project.

Examples:
    python tools/video_poses.py in.mp4 rtmo-s.onnx poses.json
    python tools/video_poses.py in.mp4 pose_landmarker_full.task poses.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2

Frame = tuple[int, Any]
"""Milliseconds from the start, and the picture ``[H, W, 3]`` in BGR."""


def read_frames(video: str) -> Iterator[Frame]:
    """Gives the frames of a video; a ValueError if there are none."""
    capture = cv2.VideoCapture(video)
    rate = capture.get(cv2.CAP_PROP_FPS) or 30.0
    index = 0
    while True:
        is_there, picture = capture.read()
        if not is_there:
            break
        yield round(1000 * index / rate), picture
        index += 1
    if not index:
        raise ValueError(f"{video}: no video that OpenCV reads")


def rtmlib_estimator(model: str) -> Callable[[Frame], Any]:
    """Returns RTMO, one ONNX file for all persons, as Ultralytics' JSON has joints."""
    from rtmlib import RTMO

    estimate = RTMO(model)

    def find(frame: Frame) -> Any:
        points, scores = estimate(frame[1])
        return [
            {"keypoints": {"x": x.tolist(), "y": y.tolist(), "visible": score.tolist()}}
            for (x, y), score in zip(points.transpose(0, 2, 1), scores)
        ]

    return find


def mediapipe_estimator(model: str) -> Callable[[Frame], Any]:
    """Returns MediaPipe's pose landmarker, a ``.task`` file."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=model),
        running_mode=vision.RunningMode.VIDEO,
        num_poses=2,
    )
    landmarker = vision.PoseLandmarker.create_from_options(options)
    keys = ("x", "y", "z", "visibility")

    def find(frame: Frame) -> Any:
        colours = cv2.cvtColor(frame[1], cv2.COLOR_BGR2RGB)
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=colours)
        result = landmarker.detect_for_video(image, frame[0])
        return {
            name: [
                [{key: getattr(mark, key) for key in keys} for mark in person]
                for person in getattr(result, name)
            ]
            for name in ("pose_landmarks", "pose_world_landmarks")
        }

    return find


def main(video: str, model: str, out: str) -> None:
    """Writes ``times`` in seconds, ``img_shape`` and the results of all ``frames``."""
    make = mediapipe_estimator if model.endswith(".task") else rtmlib_estimator
    estimate = make(model)
    times, frames, shape = [], [], []
    for frame in read_frames(video):
        times.append(frame[0] / 1000)
        frames.append(estimate(frame))
        shape = list(frame[1].shape[:2])
    content = {"times": times, "img_shape": shape, "frames": frames}
    Path(out).write_text(json.dumps(content), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
