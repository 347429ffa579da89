"""tools/analysis/plot_features.py, on a small model."""

from __future__ import annotations

import pickle
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from gap_mmaction.visualization.feature_figure import draw_features
from gap_mmaction.visualization.part_features import PartFeatures
from tests.apis.small_model import make_config, make_model, make_sequences
from tools.analysis.plot_features import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Config and checkpoint; the test set is six samples of three classes."""
    init_default_scope("mmaction")
    folder = tmp_path_factory.mktemp("features")
    config = make_config(folder)
    make_model(config, folder / "epoch_1.pth")
    items = [
        {"frame_dir": f"a{i}", "label": i % 3, "keypoint": keypoint}
        for i, keypoint in enumerate(make_sequences(6))
    ]
    content = {"split": {"xview_val": ["a0", "a1", "a2", "a4"]}, "annotations": items}
    (folder / "data.pkl").write_bytes(pickle.dumps(content))
    config.test_dataloader.dataset.ann_file = str(folder / "data.pkl")
    config.dump(folder / "config.py")
    return [str(folder / "config.py"), str(folder / "epoch_1.pth")]


def test_test_set(
    model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "features.png"
    assert main([*model, "--method", "pca", "--out", str(out)]) == 0
    assert out.read_bytes().startswith(b"\x89PNG")
    printed = capsys.readouterr()
    assert "4/4" in printed.err
    rows = [row for row in printed.out.splitlines() if row.startswith("| ")]
    names = [row.split("|")[1].strip() for row in rows[1:]]
    assert names == ["global", "head", "hand", "hip", "foot"]


def test_errors(
    model: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "features.png"
    for options, message in (
        (["--classes", "sit dwn"], "did you mean 'sit down'?"),
        (["--classes", "carry"], "'carry' has no samples"),
        (["--split", "other"], "no split 'other'"),
        (["--cfg-options", "model.text_branch=None"], "no text branch"),
    ):
        assert main([*model, *options, "--method", "pca", "--out", str(out)]) == 1
        assert message in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    assert main([*model, "--out", str(out)]) == 1
    assert "pip install scikit-learn" in capsys.readouterr().err
    assert not out.exists()


def make_features(classes: int = 3) -> PartFeatures:
    """Skeletons at their texts, but for what all of them share."""
    rng = np.random.default_rng(0)
    rows = np.linalg.qr(rng.normal(size=(64, 64)))[0]
    texts = rows[:classes, None].repeat(2, axis=1)
    labels = np.arange(2 * classes) % classes
    skeletons = texts[labels] + 3 * rows[-1]
    skeletons /= np.linalg.norm(skeletons, axis=-1, keepdims=True)
    names = tuple(f"class {i} $" for i in range(classes))
    return PartFeatures(("global", "head"), names, labels, skeletons, texts)


def test_nearest_text_and_centring() -> None:
    features = make_features()
    np.testing.assert_array_equal(features.nearest_text(), [1, 1])
    centred = features.centred()
    apart = np.einsum(
        "nkd,nkd->nk", features.skeletons, features.texts[features.labels]
    )
    near = np.einsum("nkd,nkd->nk", centred.skeletons, centred.texts[centred.labels])
    assert apart.max() < 0.5 < 0.9 < near.min()
    wrong = PartFeatures(
        features.parts,
        features.class_names,
        (features.labels + 1) % 3,
        features.skeletons,
        features.texts,
    )
    np.testing.assert_array_equal(wrong.nearest_text(), [0, 0])


def test_choose() -> None:
    chosen = make_features().choose([2, 0])
    assert chosen.class_names == ("class 2 $", "class 0 $")
    assert chosen.labels.tolist() == [1, 0, 1, 0]
    assert len(chosen.texts) == 2
    np.testing.assert_array_equal(chosen.nearest_text(), [1, 1])


@pytest.mark.parametrize("classes", [3, 12, 50])
def test_figure(classes: int) -> None:
    features = make_features(classes)
    places = np.random.default_rng(0).normal(size=(3 * classes, 2))
    figure = draw_features(features, [places, places], "title")
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_title().split(":")[0] for axes in panels] == ["global", "head"]
    for axes in panels:
        dots, stars = (typing.cast(typing.Any, c) for c in axes.collections)
        assert len(dots.get_offsets()) == 2 * classes
        assert len(stars.get_offsets()) == classes
        colours = dots.get_facecolor()[:classes, :3]
        np.testing.assert_array_equal(colours, stars.get_facecolor()[:, :3])
        assert len(axes.texts) == (50 if classes == 50 else 0)
    (legend,) = figure.legends
    assert len(legend.get_texts()) == (1 if classes == 50 else classes + 1)
    figure.canvas.draw()
