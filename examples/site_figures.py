"""Draws the figures of the documentation's home page from what examples/tutorial.py left behind.

python examples/site_figures.py --tutorial tutorial --output docs/figures
"""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import keras_hpa

_MOST_PIXELS = 1200


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tutorial", type=Path, required=True, help="the output folder of examples/tutorial.py")
    parser.add_argument("--output", type=Path, required=True, help="folder for the figures")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)

    model = keras.saving.load_model(args.tutorial / "model.keras")
    calibrator = keras_hpa.ThresholdCalibrator.load(args.tutorial / "thresholds.json")
    num_train = len(keras_hpa.load_kaggle(args.tutorial / "data")[0])
    source, _ = keras_hpa.load_kaggle(args.tutorial / "data", "test")
    large = keras_hpa.SyntheticAtlas(num_train + len(source), image_size=(384, 384), balance="uniform")
    labels = large.labels[num_train:]
    sequence = keras_hpa.MultiChannelSequence(source, dtype="source")
    scores = keras_hpa.predict_scores(model, sequence, "dihedral")

    shown = 14
    image = large.read(num_train + shown)
    save(keras_hpa.plots.plot_channels(image), args.output / "home_channels.webp")
    save(draw_prediction(image, scores[shown], labels[shown], calibrator), args.output / "home_prediction.webp")
    save(draw_f1(calibrator.report(scores, labels).rows), args.output / "home_per_class_f1.webp")


def draw_prediction(
    image: np.ndarray, scores: np.ndarray, labels: np.ndarray, calibrator: keras_hpa.ThresholdCalibrator
) -> Figure:
    """The merged channels, and the six classes whose scores come nearest to their thresholds or pass them."""
    merge = keras_hpa.plots.plot_channels(image).axes[-1].images[0].get_array()
    figure = Figure(figsize=(9, 3.6), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.4])
    left.imshow(merge)
    left.set_axis_off()
    chosen = np.argsort(scores / calibrator.thresholds_)[-6:]
    passed = scores[chosen] >= calibrator.thresholds_[chosen]
    rows = np.arange(len(chosen))
    right.barh(rows, scores[chosen], color=np.where(passed, "#0072B2", "#B0B0B0"), height=0.6)
    right.vlines(calibrator.thresholds_[chosen], rows - 0.4, rows + 0.4, color="#D55E00", linewidth=2)
    names = [f"{keras_hpa.atlas.CLASS_NAMES[one]}{' (true)' if labels[one] else ''}" for one in chosen]
    right.set(yticks=rows, yticklabels=names, xlabel="score (bar) and threshold (line)", xlim=(0, 1))
    right.spines[["top", "right"]].set_visible(False)
    return figure


def draw_f1(rows: Sequence[dict]) -> Figure:
    """F1 of each class with its 95 % interval, best first."""
    rows = sorted(rows, key=lambda row: row["f_beta"])
    places = np.arange(len(rows))
    f1 = np.array([row["f_beta"] for row in rows])
    spread = np.abs([[row["low"] for row in rows], [row["high"] for row in rows]] - f1)
    figure = Figure(figsize=(9, 6.2), layout="constrained", dpi=120)
    axes = figure.subplots()
    axes.barh(places, f1, xerr=spread, color="#0072B2", ecolor="0.45", height=0.65)
    axes.set(yticks=places, yticklabels=[row["class"] for row in rows], xlim=(0, 1))
    axes.set_xlabel(f"F1 on held-out drawings, with its 95 % interval; mean of all classes {f1.mean():.2f}")
    axes.margins(y=0.01)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def save(figure: Figure, path: Path) -> None:
    file = io.BytesIO()
    figure.savefig(file, format="png")
    picture = Image.open(file).convert("RGB")
    picture.thumbnail((_MOST_PIXELS, _MOST_PIXELS))
    picture.save(path, quality=85, method=6)


if __name__ == "__main__":
    main()
