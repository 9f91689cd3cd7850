"""Where in a sample each class was seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from keras_hpa.plots.displayed import displayed
from keras_hpa.plots.figure import new_figure
from keras_hpa.plots.glow import colour_scale, glow

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4


def plot_activation_maps(
    image: npt.ArrayLike,
    maps: npt.ArrayLike,
    channels: Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    *,
    title: str | None = None,
    saturated: float = 0.35,
) -> Figure:
    """Draws the merged channels of a sample, and over them where a network saw each class.

    What speaks for the class glows over a dimmed merge; what speaks against it is not drawn. Every map has a scale of
    its own, written beneath it, because a protein that fills the cell spreads over many pixels what a dot concentrates
    in a few. No scale ends below a quarter of the largest one, so that a class the network hardly saw stays dark.

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
        >>> source = SyntheticAtlas(1, image_size=(64, 64))
        >>> image = source.read(0)
        >>> model = GapNet((64, 64, 4), num_classes=28, filters=(8, 16), depths=(1, 1))
        >>> maps = class_activation_maps(model, image[None] / 255, class_ids=[7, 19])
        >>> figure = plot_activation_maps(image, maps[0], source.channels, ["Golgi apparatus", "Centrosome"])
        >>> [panel.get_title() for panel in figure.axes][:3]
        ['merge', 'Golgi apparatus', 'Centrosome']
    """
    shown = displayed(image, channels, saturated)
    seen = glow(shown, maps)
    names = list(map(str, range(len(seen.highest)))) if class_names is None else list(class_names)
    if len(names) != len(seen.highest):
        raise ValueError(f"`class_names` must hold {len(seen.highest)} names. Received: {len(names)}")

    columns = min(_COLUMNS, len(names) + 1)
    rows = -(-(len(names) + 1) // columns)
    figure = new_figure((2.6 * columns, 3.2 * rows + (0.25 if title else 0)))
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    panels[0].imshow(shown.merge)
    panels[0].set_title("merge", fontsize=9)
    for axes, name, picture, top in zip(panels[1:], names, seen.pictures, seen.highest, strict=False):
        axes.imshow(picture)
        axes.set_title(name, fontsize=9, parse_math=False)
        bar = figure.colorbar(colour_scale(top), ax=axes, location="bottom", fraction=0.05, pad=0.02, aspect=30)
        bar.set_label("contribution to the logit", fontsize=7)
        bar.ax.locator_params(axis="x", nbins=4)
        bar.ax.tick_params(labelsize=7)
    for axes in panels:
        axes.set_axis_off()
        axes.set_anchor("N")
    if title is not None:
        figure.suptitle(title, fontsize=10, parse_math=False)
    return figure
