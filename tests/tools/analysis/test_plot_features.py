"""tools/analysis/plot_features.py, on a small model."""

from __future__ import annotations

import pickle
import sys
import typing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.visualization.feature_figure import (
    centre,
    choose_classes,
    draw_features,
    embed,
    nearest_text,
)
from tests.apis.small_model import make_config, make_run, make_sequences
from tools.analysis.plot_features import main


def test_tool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config(tmp_path)
    items = [
        {"frame_dir": f"a{i}", "label": i % 3, "keypoint": keypoint}
        for i, keypoint in enumerate(make_sequences(6))
    ]
    content = {"split": {"xview_val": ["a0", "a1", "a2", "a4"]}, "annotations": items}
    (tmp_path / "data.pkl").write_bytes(pickle.dumps(content))
    config.test_dataloader.dataset.ann_file = str(tmp_path / "data.pkl")
    model = [str(tmp_path / "config.py"), str(make_run(tmp_path, config).checkpoint)]
    out = tmp_path / "features.png"
    assert main([*model, "--method", "pca", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr().out
    rows = [row for row in printed.splitlines() if row.startswith("| ")]
    names = [row.split("|")[1].strip() for row in rows[1:]]
    assert names == ["global", "head", "hand", "hip", "foot"]
    out.unlink()
    for options, message in (
        (["--classes", "sit dwn"], "did you mean 'sit down'?"),
        (["--classes", "carry"], "'carry' has no samples"),
        (["--split", "other"], "no split 'other'"),
    ):
        assert main([*model, *options, "--method", "pca", "--out", str(out)]) == 1
        assert message in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    assert main([*model, "--out", str(out)]) == 1
    assert "pip install scikit-learn" in capsys.readouterr().err
    assert not out.exists()


def make_features(classes: int = 3) -> ClipFeatures:
    """Skeletons at their texts, but for what all of them share."""
    rng = np.random.default_rng(0)
    rows = np.linalg.qr(rng.normal(size=(64, 64)))[0].astype(np.float32)
    texts = rows[:classes, None].repeat(2, axis=1)
    labels = np.arange(2 * classes) % classes
    clips = texts[labels] + 3 * rows[-1]
    return ClipFeatures(
        names=tuple(f"clip {i}" for i in range(2 * classes)),
        labels=labels,
        features=torch.nn.functional.normalize(torch.from_numpy(clips), dim=-1),
        parts=("global", "head"),
        classes=tuple(f"class {i} $" for i in range(classes)),
        class_features=torch.from_numpy(texts),
        source={},
    )


def test_nearest_text_centring_and_choice() -> None:
    clips = make_features()
    np.testing.assert_array_equal(nearest_text(clips), [1, 1])
    apart, near = (
        c.cosines()[np.arange(6), :, c.labels] for c in (clips, centre(clips))
    )
    assert apart.max() < 0.5 < 0.9 < near.min()
    wrong = replace(clips, labels=(clips.labels + 1) % 3)
    np.testing.assert_array_equal(nearest_text(wrong), [0, 0])
    chosen = choose_classes(clips, [2, 0])
    assert chosen.classes == ("class 2 $", "class 0 $")
    assert chosen.names == ("clip 0", "clip 2", "clip 3", "clip 5")
    assert chosen.labels.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(nearest_text(chosen), [1, 1])


@pytest.mark.parametrize("method", ["tsne", "pca", "umap"])
def test_embedding_keeps_clusters(method: str) -> None:
    if method != "pca":
        pytest.importorskip({"tsne": "sklearn", "umap": "umap"}[method])
    centres = np.eye(8)[:3].repeat(8, axis=0)
    points = centres + np.random.default_rng(0).normal(0, 0.02, centres.shape)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    places = embed(points, method, neighbours=5)
    middles = places.reshape(3, 8, 2).mean(axis=1)
    distances = np.linalg.norm(places[:, None] - middles, axis=2)
    assert (distances.argmin(axis=1) == np.repeat(range(3), 8)).all()
    np.testing.assert_array_equal(places, embed(points, method, neighbours=5))
    with pytest.raises(ValueError, match="3 points are too few"):
        embed(points[:3], method)


def test_figure_of_many_classes() -> None:
    features = make_features(50)
    places = np.random.default_rng(0).normal(size=(150, 2))
    figure = draw_features(features, [places, places], "title")
    dots, stars = (typing.cast(typing.Any, c) for c in figure.axes[0].collections)
    colours = dots.get_facecolor()[:50]
    np.testing.assert_array_equal(colours[:, :3], stars.get_facecolor()[:, :3])
