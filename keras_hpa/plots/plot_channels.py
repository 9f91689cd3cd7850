"""A sample, channel by channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from keras_hpa.plots.displayed import displayed
from keras_hpa.plots.figure import new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_channels(
    image: npt.ArrayLike,
    channels: Sequence[str] | None = None,
    *,
    title: str | None = None,
    saturated: float = 0.35,
) -> Figure:
    """Draws every channel of a sample in its colour, and their merge.

    Microscopy images are dark: most of a channel's range is empty. Each channel is therefore brightened for display,
    by itself, until `saturated` per cent of its pixels are white, as ImageJ's "enhance contrast" does; the panel's
    title says by how much.

    Args:
        image: a sample of shape `(height, width, channels)`, integers or floats, 0 black.
        channels: the names of the channels, `source.channels`; "channel1", "channel2", ... unless given. A name of a
            colour or of a dye ("DAPI", "GFP", "mCherry", "Alexa 647") chooses its colour, red dyes are magenta beside
            green; other channels get colours that differ. If the names are those of the atlas,
            the titles say what each stains.
        title: a line above the panels.
        saturated: the share of pixels, in per cent, that are drawn at full brightness.

    Raises:
        ValueError: if the shape of `image` does not fit `channels`, or `saturated` does not lie in 0 to 100.

    Example:
        >>> from keras_hpa import SyntheticAtlas
        >>> source = SyntheticAtlas(1, image_size=(64, 64))
        >>> figure = plot_channels(source.read(0), source.channels)
        >>> [panel.get_title().splitlines()[0] for panel in figure.axes][-2:]
        ['yellow: endoplasmic reticulum', 'merge']
    """
    shown = displayed(image, channels, saturated)
    figure = new_figure((2.6 * (len(shown.names) + 1), 3.3 if title else 3.0))
    panels = figure.subplots(1, len(shown.names) + 1)
    for axes, name, picture in zip(panels, shown.titles, shown.panels, strict=False):
        axes.imshow(picture)
        axes.set_title(name, fontsize=8, parse_math=False)
    panels[-1].imshow(shown.merge)
    panels[-1].set_title("merge\n", fontsize=8)
    for axes in panels:
        axes.set_axis_off()
    if title is not None:
        figure.suptitle(title, fontsize=10, parse_math=False)
    figure.get_layout_engine().set(h_pad=0.1)  # inches, so that nothing touches or cuts the panels' titles
    return figure
