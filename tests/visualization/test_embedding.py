"""embed: clusters stay clusters, seeds count, what is missing is named."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gap_mmaction.visualization.embedding import embed


def make_points() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.eye(8)[:3].repeat(8, axis=0)
    points = centres + rng.normal(0, 0.02, centres.shape)
    return points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("method", ["tsne", "pca", "umap"])
def test_clusters(method: str) -> None:
    if method != "pca":
        pytest.importorskip({"tsne": "sklearn", "umap": "umap"}[method])
    points = make_points()
    places = embed(points, method, neighbours=5)
    assert places.shape == (24, 2) and np.isfinite(places).all()
    groups = places.reshape(3, 8, 2)
    middles = groups.mean(axis=1)
    distances = np.linalg.norm(places[:, None] - middles, axis=2)
    assert (distances.argmin(axis=1) == np.repeat(range(3), 8)).all()
    np.testing.assert_array_equal(places, embed(points, method, neighbours=5))


def test_wrong() -> None:
    with pytest.raises(ValueError, match="'som': not one of tsne"):
        embed(make_points(), "som")
    with pytest.raises(ValueError, match="3 points are too few"):
        embed(make_points()[:3])


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, method, package in (
        ("umap", "umap", "umap-learn"),
        ("sklearn.manifold", "tsne", "scikit-learn"),
    ):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=f"pip install {package}"):
            embed(make_points(), method)
