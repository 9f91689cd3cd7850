"""Where in a sample each class was seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from keras_hpa import atlas
from keras_hpa.plots.displayed import displayed
from keras_hpa.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4
_DIMMED = 0.45
_OPAQUE = 0.85


def plot_activation_maps(
    image: npt.ArrayLike,
    maps: npt.ArrayLike,
    channels: Sequence[str] = atlas.CHANNELS,
    class_names: Sequence[str] | None = None,
    *,
    title: str | None = None,
    saturated: float = 0.35,
) -> Figure:
    """Draws the merged channels of a sample, and over them where a network saw each class.

    What speaks for the class glows over a dimmed merge; what speaks against it is not drawn. All panels share one
    scale, so that a class the network hardly saw stays dark.

    Args:
        image: a sample of shape `(height, width, channels)`, integers or floats, 0 black.
        maps: its maps, of shape `(height, width, classes)`: one item of what `class_activation_maps` returns.
        channels: the names of the channels, as for `plot_channels`.
        class_names: what to write above each map; numbers if not given.
        title: a line above the panels.
        saturated: as for `plot_channels`.

    Raises:
        ValueError: if the shapes of `image`, `maps`, `channels` and `class_names` do not fit each other.

    Example:
        >>> from keras_hpa import GapNet, SyntheticAtlas, class_activation_maps
        >>> image = SyntheticAtlas(1, image_size=(64, 64)).read(0)
        >>> model = GapNet((64, 64, 4), num_classes=28, filters=(8, 16), depths=(1, 1))
        >>> maps = class_activation_maps(model, image[None] / 255, class_ids=[7, 19])
        >>> figure = plot_activation_maps(image, maps[0], class_names=["Golgi apparatus", "Centrosome"])
        >>> [panel.get_title() for panel in figure.axes][:3]
        ['merge', 'Golgi apparatus', 'Centrosome']
    """
    shown, values = displayed(image, channels, saturated), np.asarray(maps, np.float64)
    if values.ndim != 3 or values.shape[:2] != shown.bright.shape[:2] or not values.shape[2]:
        expected = (*shown.bright.shape[:2], "classes")
        raise ValueError(f"`maps` must have shape {expected}. Received: shape {values.shape}")
    names = list(map(str, range(values.shape[2]))) if class_names is None else list(class_names)
    if len(names) != values.shape[2]:
        raise ValueError(f"`class_names` must hold {values.shape[2]} names. Received: {len(names)}")
    highest = float(values.max())
    highest = highest if highest > 0 else 1.0

    columns = min(_COLUMNS, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)
    figure = new_figure((2.6 * columns + 0.7, 2.85 * rows + (0.25 if title else 0)))
    grid = figure.subplots(rows, columns, squeeze=False)
    panels = list(grid.flat)
    panels[0].imshow(shown.merge)
    panels[0].set_title("merge", fontsize=9)
    for axes, name, one in zip(panels[1:], names, np.moveaxis(values, -1, 0), strict=False):
        positive = np.clip(one, 0, None)
        axes.imshow(shown.merge * _DIMMED)
        glow = axes.imshow(positive, cmap="inferno", vmin=0, vmax=highest, alpha=_OPAQUE * np.sqrt(positive / highest))
        axes.set_title(name, fontsize=9, parse_math=False)
    for axes in panels:
        axes.set_axis_off()
    bar = figure.colorbar(glow, ax=list(grid[:, -1]), fraction=0.06, pad=0.03)
    bar.set_label("contribution to the logit", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    if title is not None:
        figure.suptitle(title, fontsize=10)
    return figure
