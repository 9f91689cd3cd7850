"""Diagrams of networks, from the built models: what they say is what the layers say of themselves."""

import keras
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from site_figures import BLUE, ORANGE

import keras_hpa

LIGHT_BLUE, LIGHT_ORANGE, LIGHT_GRAY = "#DCEBF5", "#FBE6D8", "#EEEEEE"
LINE = 0.25  # inches


def draw_gapnet() -> Figure:
    """The report's network: blocks, the mean of each over the image, the joined vector, the head."""
    model = keras_hpa.GapNet((512, 512, 4), 28, variant="report")
    figure, axes = sheet(6.6, 5.05)
    image = model.get_layer("image")
    box(axes, (0.05, 0.05), (3.3, 0.3), [("image", size(image))], LIGHT_GRAY)
    blocks = {f"block {number}": lines(model, f"block{number}_") for number in (1, 2, 3)}
    top = y = 0.55
    middles = []
    for name, block in blocks.items():
        height = LINE * (len(block) + 1) + 0.1
        arrow(axes, (1.7, y - 0.2), (1.7, y))
        box(axes, (0.05, y), (3.3, height), [(name, ""), *block], LIGHT_BLUE)
        middles.append(y + height / 2)
        y += height + 0.2
    taps = [model.get_layer(f"tap{number}") for number in (1, 2, 3)]
    joined = model.get_layer("taps")
    scale = (y - 0.2 - top) / joined.output.shape[-1]
    start = top
    for tap, middle in zip(taps, middles, strict=True):
        height = scale * tap.output.shape[-1]
        arrow(axes, (3.35, middle), (4.0, start + height / 2), ORANGE)
        box(axes, (4.0, start), (0.55, height), [], LIGHT_ORANGE)
        axes.text(4.27, start + height / 2, size(tap), ha="center", va="center")
        start += height
    axes.text(3.5, 0.35, "mean over the image", va="center", color=ORANGE)
    axes.text(4.27, start + 0.15, f"joined: {size(joined)}", ha="center", va="center", color=ORANGE)
    head = [*lines(model, "head_"), *lines(model, ("logits", "probabilities"))]
    height = LINE * (len(head) + 1) + 0.1
    middle = (top + start) / 2
    arrow(axes, (4.55, middle), (4.85, middle))
    box(axes, (4.85, middle - height / 2), (1.7, height), [("head", ""), *((text, "") for text, _ in head)], LIGHT_GRAY)
    return figure


def draw_pretrained_classifier() -> Figure:
    """The layers of three choices of adapter and head."""
    figure, axes = sheet(6.9, 4.9)
    for column, (adapter, head) in enumerate((("mixer", "report"), ("mixer", "gap"), ("inflate", "multi-level"))):
        options = {"adapter": adapter, "matrix": "report" if adapter == "mixer" else None, "head": head}
        model = keras_hpa.PretrainedClassifier("MobileNetV2", (224, 224, 4), 28, weights=None, **options)
        left = 0.05 + 2.3 * column
        axes.text(left, 0.3, f'adapter="{adapter}"\nhead="{head}"', va="center", weight="bold")
        colour = LIGHT_ORANGE
        for row, layer in enumerate(model.layers):
            y = 0.6 + 0.39 * row
            if row:
                arrow(axes, (left + 1.1, y - 0.1), (left + 1.1, y))
            box(
                axes,
                (left, y),
                (2.2, 0.29),
                [(layer.name, size(layer))],
                LIGHT_BLUE if layer.name == "backbone" else colour,
            )
            colour = LIGHT_GRAY if layer.name == "backbone" else colour
    axes.text(2.35, 4.6, "backbone: MobileNetV2", va="center", color=BLUE)
    return figure


def draw_inflate_channels() -> Figure:
    """What each new channel's filters are made of: the kernel of a convolution that passes its three channels on."""
    known = keras.Sequential([keras.Input((1, 1, 3)), keras.layers.Conv2D(3, 1, use_bias=False)])
    known.set_weights([np.eye(3)[None, None]])
    figure = Figure(figsize=(6.4, 2.5))
    for method, axes in zip(("copy", "mean", "zero", "repeat"), figure.subplots(1, 4, sharey=True), strict=True):
        shares = keras_hpa.inflate_channels(known, 4, method=method).get_weights()[0][0, 0]
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1.6)
        for row, column in np.ndindex(shares.shape):
            axes.text(column, row, f"{shares[row, column]:.2g}", ha="center", va="center")
        axes.set_title(f'"{method}"')
        axes.set_xticks(range(3), ["R", "G", "B"])
        axes.set_yticks(range(4), keras_hpa.atlas.CHANNELS)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    figure.supxlabel("filters that the model had", fontsize=11)
    figure.axes[0].set_ylabel("new filters")
    return figure


def lines(model: keras.Model, prefix: str | tuple[str, ...]) -> list[tuple[str, str]]:
    """The layers whose names begin so, and what comes out of them: normalisation goes with what it is for."""
    found, words = [], []
    for layer in model.layers:
        if layer.name.startswith(prefix):
            words.append(describe(layer))
            if not isinstance(layer, keras.layers.BatchNormalization | keras.layers.Conv2D) and layer.name != "logits":
                found.append((", ".join(words), size(layer)))
                words = []
    return found


def describe(layer: keras.layers.Layer) -> str:
    match layer:
        case keras.layers.BatchNormalization():
            return "norm"
        case keras.layers.Conv2D():
            strides = layer.strides[0]
            return f"conv {layer.kernel_size[0]}×{layer.kernel_size[1]}" + (
                f", stride {strides}" if strides > 1 else ""
            )
        case keras.layers.Activation():
            return layer.activation.__name__
        case keras.layers.MaxPooling2D():
            return "max pool"
        case keras.layers.Dropout():
            return f"dropout {layer.rate:g}"
        case keras.layers.Dense():
            linear = layer.activation is keras.activations.linear
            return f"dense {layer.units}" + ("" if linear else f", {layer.activation.__name__}")
    raise TypeError(f"`layer` must be of a kind that GapNet has. Received: {layer}")


def size(layer: keras.layers.Layer) -> str:
    return " × ".join(str(length) for length in layer.output.shape[1:])


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure whose coordinates are inches, from the upper left."""
    figure = Figure(figsize=(width, height), layout="none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    return figure, axes


def box(
    axes: Axes, corner: tuple[float, float], extent: tuple[float, float], rows: list[tuple[str, str]], colour: str
) -> None:
    """A box with lines of text, to the left and to the right; of several lines the first is the title."""
    (x, y), (width, height) = corner, extent
    axes.add_patch(Rectangle(corner, width, height, facecolor=colour, edgecolor="black", linewidth=0.8))
    for number, (left, right) in enumerate(rows):
        middle = y + height / 2 + LINE * (number - (len(rows) - 1) / 2)
        weight = "bold" if number == 0 and len(rows) > 1 else "normal"
        axes.text(x + 0.08, middle, left, va="center_baseline", fontsize=9.5, weight=weight)
        axes.text(x + width - 0.08, middle, right, va="center_baseline", ha="right", fontsize=9.5)


def arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = "black") -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "shrinkA": 0, "shrinkB": 0})
