"""Points of many dimensions on a plane."""

from __future__ import annotations

from typing import Any

import numpy as np

from gap_mmaction.utils.dependency import import_for

METHODS = ("tsne", "umap", "pca")
_PACKAGES = {
    "tsne": ("sklearn.manifold", "scikit-learn"),
    "umap": ("umap", "umap-learn"),
}


def find_package(method: str) -> Any:
    """Import what a method needs; to be called before any work for it is done.

    Raises:
        ImportError: If the package is missing.
    """
    if method not in _PACKAGES:
        return None
    module, package = _PACKAGES[method]
    return import_for(f"method {method!r}", module, package=package)


def embed(
    points: np.ndarray, method: str = "tsne", seed: int = 0, neighbours: float = 30.0
) -> np.ndarray:
    """Lay points out on a plane, neighbours near one another.

    Args:
        points: ``[N, D]``, of norm 1, at least 4.
        method: ``"tsne"`` (van der Maaten and Hinton, 2008; by scikit-learn),
            ``"umap"`` (McInnes et al., 2018; by umap-learn), or ``"pca"``, the two
            directions of most variance.
        seed: Of the layout.
        neighbours: How many neighbours of a point count, t-SNE's perplexity; fewer
            where there are few points.

    Returns:
        ``[N, 2]``.

    Raises:
        ImportError: If the package is missing.
        ValueError: If there is no such method, or there are too few points.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: not one of {', '.join(METHODS)}")
    if len(points) < 4:
        raise ValueError(f"{len(points)} points are too few to be laid out; give 4")
    if method == "pca":
        centred = points - points.mean(axis=0)
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
        return np.asarray(centred @ directions[:2].T)
    if method == "umap":
        return np.asarray(
            find_package(method)
            .UMAP(
                n_neighbors=int(min(max(neighbours, 2), len(points) - 1)),
                metric="cosine",
                random_state=seed,
            )
            .fit_transform(points)
        )
    return np.asarray(
        find_package(method)
        .TSNE(
            perplexity=min(neighbours, (len(points) - 1) / 3),
            init="pca",
            random_state=seed,
        )
        .fit_transform(points.astype(np.float32))
    )
