"""The cells of a field, outlined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from keras_hpa.plots.displayed import displayed
from keras_hpa.plots.figure import load, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours without black: told apart on dark images and by the colour-blind.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#FFFFFF")
_UNKNOWN = "#808080"


def plot_cells(
    image: npt.ArrayLike,
    labels: npt.ArrayLike,
    channels: Sequence[str] | None = None,
    *,
    classes: npt.ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    each_channel: bool = True,
    title: str | None = None,
    saturated: float = 0.35,
) -> Figure:
    """Draws the outlines of cells on every channel of a field and on their merge.

    Each cell has a colour of its own, or the colour of its class. There are eight colours: with more cells or classes
    they come again.

    Args:
        image: a sample of shape `(height, width, channels)`, integers or floats, 0 black.
        labels: a label image of shape `(height, width)`, 0 outside, such as the nuclei or cells of `split_cells`.
        channels: the names of the channels, as for `plot_channels`.
        classes: the class of each cell as a number, that of the cell labelled 1 first; -1, drawn in grey, for unknown.
        class_names: the names of the classes, for a legend; numbers if not given.
        each_channel: whether to draw the channels one by one too, not only their merge.
        title: a line above the panels.
        saturated: as for `plot_channels`.

    Raises:
        ValueError: if the shapes of `image`, `labels`, `channels` and `classes` do not fit each other, or a class has
            no name.

    Example:
        >>> from keras_hpa import SyntheticAtlas
        >>> source = SyntheticAtlas(1, image_size=128)
        >>> nuclei, cells = source.cell_labels(0)
        >>> figure = plot_cells(source.read(0), cells, source.channels)
        >>> len(figure.axes)
        5
    """
    shown = displayed(image, channels, saturated)
    regions = np.asarray(labels)
    size = shown.bright.shape[:2]
    if regions.shape != size or regions.dtype.kind not in "iu" or regions.min(initial=0) < 0:
        raise ValueError(
            f"`labels` must hold whole numbers from 0, of shape {size}. "
            f"Received: shape {regions.shape}, dtype {regions.dtype}"
        )
    numbers, outlines = _outlines(regions)
    kinds = numbers - 1 if classes is None else _classes_of(numbers, np.asarray(classes))
    names = None if classes is None else _legend(kinds, class_names)

    pictures = [*shown.panels, shown.merge] if each_channel else [shown.merge]
    titles = [*shown.titles, "merge\n"] if each_channel else ["merge"]
    width = 3.4 if each_channel else 5.0
    columns, rows = _legend_size(list((names or {}).values()), width * len(pictures))
    figure = new_figure((width * len(pictures), width + 0.5 + 0.3 * (title is not None) + 0.22 * rows))
    colours = [_colour(kind) for kind in kinds]
    for axes, picture, name in zip(figure.subplots(1, len(pictures), squeeze=False)[0], pictures, titles, strict=True):
        axes.imshow(picture)
        axes.add_collection(load("matplotlib.collections").LineCollection(outlines, colors=colours, linewidths=0.9))
        axes.set_title(name, fontsize=8, parse_math=False)
        axes.set_axis_off()
    if names:
        patch = load("matplotlib.patches").Patch
        handles = [patch(facecolor=_colour(kind), edgecolor="black") for kind in names]
        legend = figure.legend(
            handles, list(names.values()), loc="outside lower center", ncols=columns, fontsize=8, frameon=False
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    if title is not None:
        figure.suptitle(title, fontsize=10, parse_math=False)
    return figure


def _outlines(labels: npt.NDArray[np.integer]) -> tuple[npt.NDArray[np.int64], list[npt.NDArray[np.float64]]]:
    """The closed curves round all regions, and the label of each."""
    numbers, curves = [], []
    present, flat = np.unique(np.append(0, labels), return_inverse=True)
    compact = flat[1:].reshape(labels.shape)
    for order, box in enumerate(ndimage.find_objects(compact), start=1):
        top, left = box[0].start, box[1].start
        region = (compact[box] == order).astype(np.uint8)
        for curve in cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]:
            points = curve[:, 0] + (left, top)
            numbers.append(int(present[order]))
            curves.append(np.concatenate([points, points[:1]]).astype(np.float64))
    return np.array(numbers, np.int64), curves


def _classes_of(numbers: npt.NDArray[np.int64], classes: npt.NDArray[np.generic]) -> npt.NDArray[np.int64]:
    wanted = int(numbers.max(initial=0))
    if classes.ndim != 1 or len(classes) < wanted or classes.dtype.kind not in "iu":
        raise ValueError(
            f"`classes` must hold a whole number for each of the {wanted} cells. "
            f"Received: shape {classes.shape}, dtype {classes.dtype}"
        )
    return classes.astype(np.int64)[numbers - 1]


def _legend(kinds: npt.NDArray[np.int64], class_names: Sequence[str] | None) -> dict[int, str]:
    """The names of the classes that occur, by number."""
    found = np.unique(kinds).tolist()
    if class_names is not None and found and not (found[0] >= -1 and found[-1] < len(class_names)):
        raise ValueError(f"`classes` must lie in -1 to {len(class_names) - 1}. Received: {found[0]} to {found[-1]}")
    names = map(str, found) if class_names is None else ("unknown" if kind < 0 else class_names[kind] for kind in found)
    return dict(zip(found, names, strict=True))


def _colour(kind: int) -> str:
    return _UNKNOWN if kind < 0 else _COLOURS[kind % len(_COLOURS)]


def _legend_size(names: Sequence[str], width: float) -> tuple[int, int]:
    """Columns and rows of a legend that is no wider than the figure, in inches."""
    if not names:
        return 1, 0
    columns = max(1, min(4, len(names), int(width / (0.075 * max(map(len, names)) + 0.6))))
    return columns, -(-len(names) // columns)
