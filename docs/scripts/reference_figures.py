"""Draws the figures of the reference, for which nothing has to be trained: `make figures` calls it too.

    python docs/scripts/reference_figures.py --output docs/figures

The library does what is shown, on samples and label sets of SyntheticAtlas, so that a figure cannot say what the code
does not do.
"""

import argparse
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path

import keras
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from model_diagrams import draw_gapnet, draw_inflate_channels, draw_pretrained_classifier
from site_figures import BLUE, GRAY, NAMES, ORANGE, merge, save

import keras_hpa
from keras_hpa.inference import tile_starts

GREEN = "#009E73"
STYLE = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 2,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 120,
}
WIDTH = 6.4  # inches, at which 11 points can be read on a phone
CELLS = keras_hpa.SyntheticAtlas(24, image_size=(256, 256), seed=3, balance="uniform")
MEMBRANE, ADHESION, DIM, BRIGHT = 3, 7, 12, 16  # samples of it


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for the figures")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    for name, draw in FIGURES.items():
        with matplotlib.rc_context(STYLE):
            save(draw(), args.output / f"{name}.webp")


def draw_channel_mixer() -> Figure:
    """The channels of a sample, each in its colour, and what the two named matrices make of them."""
    image = CELLS.read(ADHESION)[:160, :160]
    image = np.clip(image / np.percentile(image, 99, axis=(0, 1)), 0, 1)
    figure = Figure(figsize=(WIDTH, 3.65))
    channels, mixtures = figure.subplots(2, 4)
    for number, (axes, colour) in enumerate(zip(channels, ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0)), strict=True)):
        show(axes, image[..., number, None] * np.array(colour), CELLS.channels[number])
    for matrix, picture, text in zip(("report", "kernel"), mixtures[::2], mixtures[1::2], strict=True):
        mixer = keras_hpa.ChannelMixer(matrix)
        show(picture, np.asarray(mixer(image[None])[0]), f'"{matrix}"')
        for place, (name, weights) in enumerate(zip("RGB", np.asarray(mixer.kernel).T, strict=True)):
            parts = [f"{weights[row]:.2g} {CELLS.channels[row]}" for row in np.flatnonzero(weights)]
            text.text(0, 0.85 - 0.35 * place, f"{name} = " + "\n   + ".join(parts), va="center", fontsize=10)
        text.set_axis_off()
    return figure


def draw_symmetries() -> Figure:
    """One crop, with a letter that shows how it lies, under the eight symmetries."""
    crop = merge(CELLS.read(ADHESION))[6:102, 70:166]
    letter = np.kron([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]], np.ones((7, 7)))
    crop[5:40, 5:26][letter == 1] = 1
    figure = Figure(figsize=(WIDTH, 4.1))
    for symmetry, axes in enumerate(figure.subplots(2, 4).flat):
        title = f"{symmetry}\nundone by {keras_hpa.inverse_symmetry(symmetry)}"
        show(axes, keras_hpa.apply_symmetry(crop, symmetry), title)
    return figure


def draw_channel_gain() -> Figure:
    """A sample, and three draws of each of two gains, all shown at the same brightness."""
    image = CELLS.read(BRIGHT)[:128, :128]
    rng = np.random.default_rng(240)
    figure = Figure(figsize=(WIDTH, 3.7))
    for gain, row in zip((0.2, 1.0), figure.subplots(2, 4), strict=True):
        change = keras_hpa.ChannelGain(gain)
        show(row[0], image[..., :3], "as it is")
        for axes in row[1:]:
            show(axes, change(image, rng)[..., :3], f"gain={gain}")
    return figure


def draw_percentile_normalization() -> Figure:
    layer = keras_hpa.PercentileNormalization()
    percentiles = (layer.low, layer.high)
    return draw_normalization(
        layer,
        (0, 1),
        "{:z.0f} to {:z.0f}",
        lambda values: np.percentile(values, percentiles),
        f"percentiles {layer.low} to {layer.high}",
    )


def draw_image_standardization() -> Figure:
    layer = keras_hpa.ImageStandardization()
    return draw_normalization(
        layer, (-1, 4), "{:z.0f} ± {:z.0f}", lambda values: (values.mean(), values.std()), "mean ± deviation"
    )


def draw_normalization(
    layer: keras.layers.Layer, limits: tuple[float, float], form: str, measure: Callable, measured: str
) -> Figure:
    """The nuclei of a dim and a bright field, before and after, and what the layer sets in them."""
    figure = Figure(figsize=(WIDTH, 2.25))
    panels = figure.subplots(1, 4)
    for (before, after), number, name in zip((panels[:2], panels[2:]), (DIM, BRIGHT), ("dim", "bright"), strict=True):
        image = CELLS.read(number)
        changed = np.asarray(layer(image[None])[0])
        for axes, title, values, (black, white) in (
            (before, f"{name} field", image[..., 2], (0, 255)),
            (after, "after", changed[..., 2], limits),
        ):
            show(axes, values, f"{title}\n{form.format(*measure(values))}", vmin=black, vmax=white)
    figure.supxlabel(f"numbers: {measured}; black to white: 0 to 255, after {limits[0]} to {limits[1]}", fontsize=10)
    return figure


def draw_rare_labels() -> Figure:
    """How often a pass shows each class, against how many samples have it."""
    labels = keras_hpa.SyntheticAtlas(31072).labels
    counts = labels.sum(axis=0)
    order = np.argsort(counts)
    figure = Figure(figsize=(WIDTH, 3.6))
    axes = figure.subplots()
    for power, colour, marker in ((0, GRAY, "s"), (0.5, ORANGE, "o"), (1, BLUE, "^")):
        drawn = keras_hpa.RareLabels(labels, power=power)(np.random.default_rng(0), len(labels))
        seen = labels[drawn].sum(axis=0)
        axes.loglog(counts[order], seen[order], marker=marker, markersize=5, color=colour, label=f"power={power}")
    for number, place in ((order[0], "left"), (order[-1], "right")):
        axes.text(counts[number], 6, NAMES[number], ha=place, va="top")
    axes.set(xlabel="samples with the class", ylabel="times seen in a pass", ylim=(3, 3e4))
    plain_numbers(axes.xaxis, axes.yaxis)
    axes.legend(loc="upper left")
    return figure


def draw_stratified_split() -> Figure:
    """Which share of the rarest classes falls to the second set: stratified, and in a hundred random splits."""
    labels = keras_hpa.SyntheticAtlas(31072).labels
    counts = labels.sum(axis=0)
    rarest = np.argsort(counts)[:8]
    _, second = keras_hpa.stratified_split(labels, 0.2)
    rng = np.random.default_rng(0)
    random = [labels[rng.permutation(len(labels))[: len(second)]][:, rarest].sum(axis=0) for _ in range(100)]
    figure = Figure(figsize=(WIDTH, 3.7))
    axes = figure.subplots()
    axes.axvline(20, color="black", linewidth=1)
    for row, column in enumerate(np.transpose(random)):
        values, times = np.unique(column, return_counts=True)
        axes.scatter(100 * values / counts[rarest[row]], np.full(len(values), row), 6 * times, color=GRAY)
    shares = 100 * labels[second].sum(axis=0) / counts
    axes.scatter([], [], 60, color=GRAY, label="100 random splits\n(area: how many)")
    axes.plot(shares[rarest], np.arange(len(rarest)), "D", color=BLUE, label="stratified_split")
    axes.set(yticks=range(len(rarest)), xlabel="share of the class in a set of 20 %", xlim=(-3, None))
    axes.set_yticklabels([f"{NAMES[number]} ({counts[number]})" for number in rarest])
    axes.xaxis.set_major_formatter("{x:.0f} %")
    axes.invert_yaxis()
    axes.legend(loc="lower right")
    return figure


def draw_batches() -> Figure:
    """The first batch of two epochs, turned at random, with its labels."""
    sequence = CELLS.samples.batches(batch_size=4, image_size=128, augment="dihedral", workers=0)
    figure = Figure(figsize=(WIDTH, 3.55))
    for epoch, row in enumerate(figure.subplots(2, 4)):
        sequence.epoch = epoch
        images, labels = sequence[0]
        for axes, image, label in zip(row, images, labels, strict=True):
            show(axes, merge(image * 255), ", ".join(NAMES[number] for number in np.flatnonzero(label)))
            axes.title.set_visible(epoch == 0)
        row[0].text(-0.05, 0.5, f"epoch {epoch}", transform=row[0].transAxes, rotation=90, ha="right", va="center")
    return figure


def draw_losses() -> Figure:
    """What a present and an absent label cost, against the predicted probability."""
    losses = (
        ("binary\ncross-entropy", keras.losses.BinaryCrossentropy(), GRAY, "-"),
        ("ClassBalancedFocal-\nCrossentropy", keras_hpa.ClassBalancedFocalCrossentropy([1]), ORANGE, "--"),
        ("AsymmetricLoss", keras_hpa.AsymmetricLoss(), BLUE, "-"),
    )
    figure = Figure(figsize=(WIDTH, 3.5))
    probabilities = np.linspace(0.01, 0.99, 99)
    for label, axes in zip((1.0, 0.0), figure.subplots(1, 2, sharey=True), strict=True):
        for name, loss, colour, style in losses:
            costs = [float(loss(np.array([[label]]), np.array([[value]]))) for value in probabilities]
            axes.plot(probabilities, costs, style, color=colour, label=name)
        axes.set(title="label present" if label else "label absent", xlabel="predicted probability", ylim=(0, 3))
    figure.axes[0].set_ylabel("loss")
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def draw_class_weights() -> Figure:
    """What a label of each class counts, against how many samples have it."""
    counts = np.sort(keras_hpa.atlas.CLASS_COUNTS)
    figure = Figure(figsize=(WIDTH, 3.4))
    axes = figure.subplots()
    plain = float(keras.losses.BinaryCrossentropy()(np.ones((1, 1)), np.full((1, 1), 0.5)))
    for beta, colour, marker in ((0, GRAY, "s"), (0.99, GREEN, "v"), (0.999, ORANGE, "o"), (0.9999, BLUE, "^")):
        loss = keras_hpa.ClassBalancedCrossentropy(counts, beta=beta)
        known = 2 * np.eye(len(counts)) - 1  # one label is present, the others are unknown
        weights = [float(loss(row[None], np.full((1, len(counts)), 0.5))) / plain for row in known]
        axes.loglog(counts, weights, marker=marker, markersize=5, color=colour, label=f"beta={beta}")
    axes.set(xlabel="training samples of the class", ylabel="weight of the class")
    plain_numbers(axes.xaxis, axes.yaxis)
    axes.legend(loc="upper right")
    return figure


def draw_macro_f1_loss() -> Figure:
    """What a class costs that a batch of 32 lacks, and one that it has once."""
    figure = Figure(figsize=(WIDTH, 3.2))
    absent, once = np.zeros((32, 1)), np.eye(32, 1)
    probabilities = np.linspace(0, 1, 101)
    cases = (
        (absent, np.ones((32, 1)), "class absent from the batch", "probability given to all"),
        (once, once, "class present once", "probability given to it, to others 0"),
    )
    for axes, (labels, given, title, xlabel) in zip(figure.subplots(1, 2, sharey=True), cases, strict=True):
        for variant, colour, style in (("report", ORANGE, "--"), ("smooth", BLUE, "-")):
            loss = keras_hpa.MacroF1Loss(variant)
            costs = [float(loss(labels, value * given)) for value in probabilities]
            axes.plot(probabilities, costs, style, color=colour, label=f'"{variant}"')
        axes.set(title=title, xlabel=xlabel, ylim=(0, 1.05))
    figure.axes[0].set_ylabel("loss of the class")
    figure.axes[0].legend(loc="lower right")
    return figure


def draw_tiles() -> Figure:
    """A field and the tiles into which it is cut, each in its colour."""
    tile, overlap = 150, 0.25
    picture = merge(CELLS.read(MEMBRANE))
    starts = tile_starts(len(picture), tile, overlap)
    figure = Figure(figsize=(WIDTH, 3.35))
    whole, parts = figure.subfigures(1, 2)
    field = whole.subplots()
    show(field, picture, f"image of {len(picture)} pixels")
    colours = ("#F0E442", "#56B4E9", "#E69F00", "#CC79A7")
    for axes, (top, left), colour in zip(parts.subplots(2, 2).flat, product(starts, starts), colours, strict=True):
        show(axes, picture[top : top + tile, left : left + tile], "")
        for panel, corner in ((field, (left + 1, top + 1)), (axes, (1, 1))):
            panel.add_patch(Rectangle(corner, tile - 3, tile - 3, fill=False, edgecolor=colour, linewidth=3))
    parts.suptitle(f"tiles of {tile}, tile_overlap={overlap}", fontsize=11)
    return figure


def draw_cells() -> Figure:
    """Twelve fields of mixed cells as `split_cells` parts them, each cell outlined in the colour of what it shows."""
    fields = keras_hpa.SyntheticAtlas(60, seed=5, balance="uniform", mixed=0.3)
    pairs = np.flatnonzero(fields.labels.sum(axis=1) == 2)[:12]
    stains = {"nuclei": "blue", "bodies": ("red", "yellow"), "channels": fields.channels}
    figure = Figure(figsize=(WIDTH, 9.2))
    for index, axes in zip(pairs.tolist(), figure.subplots(4, 3).flat, strict=True):
        image = fields.read(index)
        true, classes = fields.cell_labels(index)[1], fields.cell_classes(index)
        first, second = np.flatnonzero(fields.labels[index])
        show(axes, merge(image), f"{NAMES[first][:22]}\n{NAMES[second][:22]}")
        cells = keras_hpa.cells.split_cells(image, **stains)[1]
        for number in range(1, cells.max() + 1):
            most = np.bincount(true[cells == number]).argmax()
            shown = classes[most - 1] if most else np.zeros(len(NAMES))
            colour = "#E69F00" if shown[first] else "#56B4E9" if shown[second] else "#B0B0B0"
            axes.contour(cells == number, [0.5], colors=[colour], linewidths=1.2)
    return figure


def show(axes: Axes, picture: np.ndarray, title: str, **limits: float) -> None:
    axes.imshow(picture, cmap="gray", interpolation="bilinear", **limits)
    axes.set_title(title)
    axes.set_axis_off()


def plain_numbers(*logarithmic: Axis) -> None:
    for axis in logarithmic:
        axis.set_major_formatter("{x:,g}")


FIGURES = {
    "apply_symmetry": draw_symmetries,
    "cells": draw_cells,
    "channel_gain": draw_channel_gain,
    "channel_mixer": draw_channel_mixer,
    "class_balanced_crossentropy": draw_class_weights,
    "focal_losses": draw_losses,
    "gapnet": draw_gapnet,
    "image_standardization": draw_image_standardization,
    "inflate_channels": draw_inflate_channels,
    "macro_f1_loss": draw_macro_f1_loss,
    "multi_channel_sequence": draw_batches,
    "percentile_normalization": draw_percentile_normalization,
    "predict_scores": draw_tiles,
    "pretrained_classifier": draw_pretrained_classifier,
    "rare_labels": draw_rare_labels,
    "stratified_split": draw_stratified_split,
}

if __name__ == "__main__":
    main()
