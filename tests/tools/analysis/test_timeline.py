"""tools/analysis/timeline.py: recordings made of clips, and what is made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from mmengine.runner import save_checkpoint

from gap_mmaction.apis import Unknown
from tests.tools.analysis.test_explain import CONFIG, OPTIONS, model  # noqa: F401
from tools.analysis.timeline import RATE, _dropped, main, make_recording


def test_make_recording() -> None:
    joints = np.random.default_rng(0).random((3, 40, 20, 3))
    clips = list(zip(joints, range(3)))
    rngs = map(np.random.default_rng, (0, 0, 1))
    first, again, other = (make_recording(clips, rng) for rng in rngs)
    assert (first.joints == again.joints).all() and first.spans != other.spans
    edges = np.rint([[RATE * a, RATE * b] for a, b, _ in first.spans]).astype(int)
    for clip, (start, end) in zip(joints, edges):
        np.testing.assert_allclose(first.joints[start:end], clip, atol=1e-6)
    assert edges[-1, 1] == len(first.joints)
    for end, start in zip(edges[:-1, 1], edges[1:, 0]):
        assert RATE <= start - end <= 3 * RATE
        # Slowly from the pose before to the one after.
        steps = np.diff(first.joints[end - 1 : start + 1], axis=0)
        assert np.abs(steps).max() < 2 / (start - end) + 0.01


def test_dropped() -> None:
    """Of the frames that come while one is worked on, one waits."""
    for frames, late in (([0.5] * 9, 0), ([1.5, 0.2, 0.2], 0), ([4, 1, 1, 1, 1], 2)):
        assert _dropped(np.array(frames) / RATE) == late


def test_tool(model: Any, synthetic: Path, tmp_path: Path) -> None:  # noqa: F811
    save_checkpoint({"state_dict": model.state_dict()}, f"{tmp_path}/a.pth")
    arguments = [CONFIG, f"{tmp_path}/a.pth", "--recordings", "1", "--clips", "3"]
    arguments += ["--minutes", "0.05", "--out", str(tmp_path), "--cfg-options"]
    data = [f"{k}_dataloader.dataset.ann_file={synthetic}" for k in ("train", "test")]
    assert main([*arguments, *OPTIONS, *data]) == 0
    assert (tmp_path / "timeline.md").read_text().count("\n| ") == 7
    assert (tmp_path / "unknown.json").exists() and (tmp_path / "timeline.png").exists()
    # Without texts, by scores alone.
    assert main([*arguments, *OPTIONS, *data, "model.text_branch=None"]) == 0
    assert (tmp_path / "timeline.md").read_text().count("\n| ") == 6
    assert Unknown.read_file(tmp_path / "unknown.json").similarity is None
