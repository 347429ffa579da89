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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2


def rtmlib_estimator(model: str) -> Callable[[Any, int], Any]:
    """Returns what runs RTMO, an ONNX file; persons are as in Ultralytics' JSON."""
    from rtmlib import RTMO

    estimate = RTMO(model)

    def find(picture: Any, _: int) -> Any:
        points, scores = estimate(picture)
        return [
            {"keypoints": {"x": x.tolist(), "y": y.tolist(), "visible": score.tolist()}}
            for (x, y), score in zip(points.transpose(0, 2, 1), scores)
        ]

    return find


def mediapipe_estimator(model: str) -> Callable[[Any, int], Any]:
    """Returns what runs MediaPipe's pose landmarker, a ``.task`` file."""
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.PoseLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=model),
        running_mode=vision.RunningMode.VIDEO,
        num_poses=2,
    )
    landmarker = vision.PoseLandmarker.create_from_options(options)
    keys = ("x", "y", "z", "visibility")

    def find(picture: Any, milliseconds: int) -> Any:
        colours = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
        image = mp.Image(image_format=mp.ImageFormat.SRGB, data=colours)
        result = landmarker.detect_for_video(image, milliseconds)
        return {
            name: [
                [{key: getattr(mark, key) for key in keys} for mark in person]
                for person in getattr(result, name)
            ]
            for name in ("pose_landmarks", "pose_world_landmarks")
        }

    return find


def main(video: str, model: str, out: str) -> None:
    """Writes ``times`` in seconds, ``img_shape`` and the results of all ``frames``.

    An estimator is given a picture ``[H, W, 3]``, in BGR, and its milliseconds.
    """
    make = mediapipe_estimator if model.endswith(".task") else rtmlib_estimator
    estimate, capture = make(model), cv2.VideoCapture(video)
    rate = capture.get(cv2.CAP_PROP_FPS) or 30.0
    content: dict[str, Any] = {"times": [], "frames": []}
    while (picture := capture.read()[1]) is not None:
        time = len(content["times"]) / rate
        content["times"].append(time)
        content["frames"].append(estimate(picture, round(1000 * time)))
        content["img_shape"] = picture.shape[:2]
    if not content["frames"]:
        raise ValueError(f"{video}: no video that OpenCV reads")
    Path(out).write_text(json.dumps(content), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
