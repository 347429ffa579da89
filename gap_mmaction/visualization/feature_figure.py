"""Features of clips with those of texts among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor
from torch.nn.functional import normalize

from gap_mmaction.apis import ClipFeatures
from gap_mmaction.utils.dependency import import_for

from .panels import panel_grid, plain_text

METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
_PACKAGES = {
    "tsne": ("sklearn.manifold", "scikit-learn"),
    "umap": ("umap", "umap-learn"),
}

MAX_NAMED = 40
"""More classes have their numbers at the stars and no legend."""


def find_package(method: str) -> Any:
    """Imports what a method needs; the ImportError says what to install."""
    if method not in _PACKAGES:
        return None
    module, package = _PACKAGES[method]
    return import_for(f"method {method!r}", module, package=package)


def embed(
    points: np.ndarray, method: str = "tsne", seed: int = 0, neighbours: float = 30.0
) -> np.ndarray:
    """Lays points out on a plane ``[N, 2]``, neighbours near one another.

    The points are ``[N, D]``, of norm 1, at least 4. The method is ``"tsne"`` (van der
    Maaten and Hinton, 2008; by scikit-learn), ``"umap"`` (McInnes et al., 2018; by
    umap-learn), or ``"pca"``, the two directions of most variance. So many neighbours
    of a point count (t-SNE's perplexity), fewer where there are few points.

    Raises:
        ImportError: If the package is missing.
        ValueError: If there is no such method, or there are too few points.
    """
    if method not in METHODS:
        raise ValueError(f"method={method!r}: not one of {', '.join(METHODS)}")
    count = len(points)
    if count < 4:
        raise ValueError(f"{count} points are too few to be laid out; give 4")
    if method == "pca":
        centred = points - points.mean(axis=0)
        _, _, directions = np.linalg.svd(centred, full_matrices=False)
        return np.asarray(centred @ directions[:2].T)
    package = find_package(method)
    if method == "umap":
        number = int(min(max(neighbours, 2), count - 1))
        layout = package.UMAP(n_neighbors=number, metric="cosine", random_state=seed)
    else:
        near = min(neighbours, (count - 1) / 3)
        layout = package.TSNE(perplexity=near, init="pca", random_state=seed)
    return np.asarray(layout.fit_transform(points.astype(np.float32)))


def choose_classes(clips: ClipFeatures, classes: Sequence[int]) -> ClipFeatures:
    """Takes some classes, in the order given, and their clips; none may lack any."""
    for label in classes:
        if not (clips.labels == label).any():
            raise ValueError(f"class {clips.classes[label]!r} has no samples")
    kept = np.flatnonzero(np.isin(clips.labels, classes))
    new = {label: index for index, label in enumerate(classes)}
    return replace(
        clips,
        names=tuple(clips.names[i] for i in kept),
        labels=np.array([new[label] for label in clips.labels[kept].tolist()]),
        features=clips.features[torch.from_numpy(kept)],
        classes=tuple(clips.classes[label] for label in classes),
        class_features=clips.class_features[list(classes)],
    )


def centre(clips: ClipFeatures) -> ClipFeatures:
    """Takes away what all clips have in common, and what all texts have.

    The loss (GAP, eq. 4 to 6) compares the texts with one another for a skeleton, and
    the skeletons for a text. What is common to one side does not count there, but it
    keeps the two sides apart in a picture. All classes count alike in the clips' mean.
    """
    of_class = [clips.features[clips.labels == c].mean(0) for c in set(clips.labels)]
    return replace(
        clips,
        features=_less(clips.features, torch.stack(of_class)),
        class_features=_less(clips.class_features, clips.class_features),
    )


def nearest_text(clips: ClipFeatures) -> np.ndarray:
    """Returns for each slot ``[K]`` the share of clips whose own text is nearest."""
    nearest = clips.cosines().argmax(axis=2)
    return np.asarray((nearest == clips.labels[:, None]).mean(axis=0))


def draw_features(
    clips: ClipFeatures, layouts: Sequence[np.ndarray], title: str
) -> Figure:
    """Draws a panel for each slot: clips as dots, texts of the classes as stars.

    The layouts are, for each slot, the places ``[N + C, 2]`` of clips and texts.
    """
    count = len(clips.classes)
    colours = _class_colours(count)
    figure, panels = panel_grid(len(clips.parts), (3.6, 3.75), more=1.0)
    shares = nearest_text(clips)
    for axes, part, places, share in zip(panels, clips.parts, layouts, shares):
        _draw_panel(axes, places, colours[clips.labels], colours)
        caption = f"nearest text right for {100 * share:.1f} %"
        axes.set_title(f"{plain_text(part)}: {caption}", fontsize=9)
    spare = panels[len(clips.parts) :]
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=plain_text(name))
        for colour, name in zip(colours, clips.classes)
    ]
    star = Line2D([], [], marker="*", linestyle="", color="w", markersize=13)
    star.set(markeredgecolor="k", label="text of the class")
    handles = [star, *(handles if count <= MAX_NAMED else [])]
    options: dict[str, Any] = dict(handles=handles, frameon=False, fontsize=8)
    if len(spare) and len(handles) <= 16:
        spare[0].legend(loc="center left", **options)
    else:
        figure.legend(
            loc="outside lower center", ncols=2 * min(3, len(panels)), **options
        )
    figure.suptitle(title, fontsize=10)
    return figure


def _less(features: Tensor, common: Tensor) -> Tensor:
    return normalize(features - common.mean(0), dim=-1)


def _class_colours(count: int) -> np.ndarray:
    """Returns a colour for each class ``[C, 4]``, as far apart as C allows."""
    if count > 20:
        return matplotlib.colormaps["turbo"](np.linspace(0.02, 0.98, count))
    table = matplotlib.colormaps["tab10" if count <= 10 else "tab20"]
    return table(np.arange(count))


def _draw_panel(
    axes: Axes, places: np.ndarray, of_clips: np.ndarray, colours: np.ndarray
) -> None:
    """Draws places of clips, then of texts, each with their colours."""
    dots, stars = places[: len(of_clips)], places[len(of_clips) :]
    x, y = dots.T
    axes.scatter(x, y, s=9, c=of_clips, linewidths=0, alpha=0.75)
    x, y = stars.T
    texts = axes.scatter(x, y, s=150, c=colours, marker="*")
    texts.set(edgecolors="black", linewidths=0.8)
    if len(stars) > MAX_NAMED:
        for number, (x, y) in enumerate(stars):
            axes.text(x, y, str(number), fontsize=5, ha="center", va="center")
    # Only who is near whom means something.
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("0.8")
