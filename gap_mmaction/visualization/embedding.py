"""Points of many dimensions on a plane."""

from __future__ import annotations

import numpy as np

from gap_mmaction.utils.dependency import import_for

METHODS = ("tsne", "umap", "pca")


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
        umap = import_for("method 'umap'", "umap", "umap-learn")
        return np.asarray(
            umap.UMAP(
                n_neighbors=int(min(max(neighbours, 2), len(points) - 1)),
                metric="cosine",
                random_state=seed,
            ).fit_transform(points)
        )
    manifold = import_for("method 'tsne'", "sklearn.manifold", "scikit-learn")
    return np.asarray(
        manifold.TSNE(
            perplexity=min(neighbours, (len(points) - 1) / 3),
            init="pca",
            random_state=seed,
        ).fit_transform(points.astype(np.float32))
    )
