"""Embeddings in two dimensions."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from keras_hpa.plots.figure import TRAINING, new_figure, remove_frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METHODS = ("auto", "umap", "tsne", "pca")
_MOST_CATEGORIES = 12
_MOST_COMPONENTS = 50  # that t-SNE and UMAP see
# Okabe and Ito's colours, which most kinds of colour blindness tell apart, then Tol's.
_COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"),
    *("#882255", "#999933", "#44AA99", "#332288", "#AA4499", "#DDCC77"),
)


def plot_embedding(
    embeddings: npt.ArrayLike,
    labels: npt.ArrayLike | Sequence[Any],
    *,
    class_names: Sequence[str] | None = None,
    method: Literal["auto", "umap", "tsne", "pca"] = "auto",
    max_classes: int = 12,
    seed: int = 0,
) -> Figure:
    """Draws every sample as a point, near those that the network sees as alike, coloured by what is known of it.

    With a matrix of labels each class has a panel of its own, since a sample may have several: its samples are blue,
    all others gray. With one value per sample (a plate, a pattern) there is one panel. Colour by plate too: where
    plates lie apart, the network sees them.

    Distances in a figure of two dimensions mislead: [`probe_scores`](evaluation.md) measures what the features know.

    Args:
        embeddings: of shape `(num_samples, num_features)`, such as [`embed`](embed.md) gives.
        labels: a matrix of 1, 0 and -1 of shape `(num_samples, num_classes)`, or one text or number per sample.
        class_names: of the columns of a matrix; their numbers unless given.
        method: `"umap"` (needs `umap-learn`), `"tsne"`, or `"pca"`; `"auto"` is UMAP where it is installed, else t-SNE.
        max_classes: panels at most; those of the most frequent classes are drawn.
        seed: of UMAP and t-SNE.

    Raises:
        ImportError: if Matplotlib, or for `"umap"` umap-learn, is not installed.
        ValueError: if the arguments are not as above, or there are fewer than three samples.

    Example:
        >>> embeddings = np.random.default_rng(0).normal(size=(30, 8))
        >>> figure = plot_embedding(embeddings, ["plate 1", "plate 2"] * 15, method="pca")
        >>> [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
        ['plate 1 (15)', 'plate 2 (15)']
    """
    features = np.asarray(embeddings, np.float64)
    if features.ndim != 2 or len(features) < 3 or not features.shape[1] or not np.isfinite(features).all():
        raise ValueError(
            "`embeddings` must be finite, of shape (num_samples, num_features), three samples at least. "
            f"Received: shape {features.shape}"
        )
    if method not in _METHODS:
        raise ValueError(f"`method` must be one of {list(_METHODS)}. Received: {method!r}")
    known = np.asarray(labels)
    if known.ndim not in (1, 2) or len(known) != len(features):
        raise ValueError(
            f"`labels` must hold {len(features)} values, or have shape ({len(features)}, num_classes). "
            f"Received: shape {known.shape}"
        )
    points, name = _in_two_dimensions(features, method, seed)
    if known.ndim == 1:
        figure = new_figure((6.5, 5))
        axes = figure.subplots()
        _draw_categories(axes, points, known)
        panels = [axes]
    else:
        names = [str(number) for number in range(known.shape[1])] if class_names is None else list(class_names)
        if len(names) != known.shape[1]:
            raise ValueError(f"`class_names` must hold {known.shape[1]} names. Received: {len(names)}")
        support = np.sum(known == 1, axis=0)
        chosen = np.sort(np.argsort(-support, kind="stable")[:max_classes])
        columns = min(4, len(chosen))
        rows = -(-len(chosen) // columns)
        figure = new_figure((2.6 * columns, 2.7 * rows))
        panels = list(figure.subplots(rows, columns, squeeze=False).ravel())
        for axes in panels[len(chosen) :]:
            axes.remove()
        panels = panels[: len(chosen)]
        for axes, number in zip(panels, chosen, strict=True):
            _draw_class(axes, points, known[:, number] == 1)
            axes.set_title(f"{names[number]} ({support[number]})", fontsize=9, parse_math=False)
    for axes in panels:
        axes.set(xticks=[], yticks=[])
        remove_frame(axes)
    panels[0].set_xlabel(f"{name} 1", fontsize=8)
    panels[0].set_ylabel(f"{name} 2", fontsize=8)
    return figure


def _in_two_dimensions(features: npt.NDArray[Any], method: str, seed: int) -> tuple[npt.NDArray[Any], str]:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from sklearn.preprocessing import StandardScaler

    if method == "auto":
        method = "umap" if importlib.util.find_spec("umap") else "tsne"
    standard = StandardScaler().fit_transform(features)
    if not standard.any():
        return np.zeros((len(standard), 2)), "component"
    most = min(*standard.shape, 2 if method == "pca" else _MOST_COMPONENTS)
    components = PCA(most, random_state=seed).fit_transform(standard)
    if components.shape[1] < 2:
        components = np.pad(components, ((0, 0), (0, 1)))
    if method == "pca":
        return components, "component"
    if method == "tsne":
        perplexity = min(30.0, (len(components) - 1) / 3)
        return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(components), "t-SNE"
    try:
        import umap
    except ImportError as error:
        raise ImportError('`method="umap"` needs umap-learn: pip install umap-learn') from error
    neighbours = min(15, len(components) - 1)
    return umap.UMAP(n_neighbors=neighbours, random_state=seed).fit_transform(components), "UMAP"


def _draw_class(axes: Any, points: npt.NDArray[Any], has_class: npt.NDArray[np.bool_]) -> None:
    size = _point_size(points)
    axes.scatter(*points[~has_class].T, s=size, color="0.85", linewidths=0)
    axes.scatter(*points[has_class].T, s=2 * size, color=TRAINING, linewidths=0)


def _draw_categories(axes: Any, points: npt.NDArray[Any], values: npt.NDArray[Any]) -> None:
    names, numbers, counts = np.unique(values.astype(str), return_inverse=True, return_counts=True)
    frequent = np.sort(np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES])
    rest = ~np.isin(numbers, frequent)
    size = 2 * _point_size(points)
    if rest.any():
        axes.scatter(*points[rest].T, s=size, color="0.85", linewidths=0, label=f"others ({rest.sum()})")
    for colour, number in zip(_COLOURS, frequent, strict=False):
        own = numbers == number
        axes.scatter(*points[own].T, s=size, color=colour, linewidths=0, label=f"{names[number]} ({counts[number]})")
    legend = axes.legend(frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5), markerscale=1.5)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _point_size(points: npt.NDArray[Any]) -> float:
    return float(np.clip(4000 / len(points), 1, 20))
