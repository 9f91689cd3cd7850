"""Draws the figures of the documentation, with the network that the tutorial trained: `make figures`.

    python examples/tutorial.py --output tutorial
    python docs/scripts/site_figures.py --tutorial tutorial --output docs/figures

Everything in them is drawn by SyntheticAtlas. They are white, so that they can be read on dark pages too.
"""

import argparse
import io
import shutil
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

import keras_hpa

NAMES = keras_hpa.atlas.CLASS_NAMES
BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#B0B0B0"
NUM_CLASSES_SHOWN = 6


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tutorial", type=Path, required=True, help="the output folder of examples/tutorial.py")
    parser.add_argument("--output", type=Path, required=True, help="folder for the figures")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)

    model = keras.saving.load_model(args.tutorial / "model.keras")
    calibrator = keras_hpa.ThresholdCalibrator.load(args.tutorial / "thresholds.json")
    samples = keras_hpa.load_kaggle(args.tutorial / "data")
    _, _, test = samples.split(validation_size=1 / 6, test_size=1 / 6)  # as the tutorial
    labels, numbers = test.labels, [samples.ids.index(sample_id) for sample_id in test.ids]
    large = keras_hpa.SyntheticAtlas(len(samples), image_size=512, balance="uniform")  # the same cells
    scores = keras_hpa.predict_scores(model, test.batches(dtype="source"), "dihedral", verbose=0)
    print(f"macro-F1 on {len(labels)} test samples: {calibrator.score(scores, labels):.3f}")

    save(keras_hpa.plots.plot_channels(large.read(numbers[0]), large.channels), args.output / "home_channels.webp")
    save(draw_prediction(large, numbers, scores, labels, calibrator), args.output / "home_prediction.webp")
    save(draw_per_class_f1(calibrator.report(scores, labels).rows), args.output / "home_per_class_f1.webp")
    save(draw_classes(), args.output / "synthetic_atlas_classes.webp")
    save(draw_perfect_predictor(), args.output / "perfect_predictor.webp")
    save(draw_over_fitting(), args.output / "over_fitting.webp")
    for name in ("channels", "learning_curves", "thresholds"):
        with Image.open(args.tutorial / f"{name}.png") as picture:
            write(picture, args.output / f"tutorial_{name}.webp")
    shutil.copyfile(args.tutorial / "comparison.npz", args.output / "tutorial_comparison.npz")
    (args.output / "tutorial_comparison.txt").write_text(comparison_sentence(args.output) + "\n")


def comparison_sentence(folder: Path) -> str:
    """What the tutorial's last line prints, from the answers of its two networks."""
    with np.load(folder / "tutorial_comparison.npz") as answers:
        return keras_hpa.evaluation.compare(answers["first"], answers["second"], answers["labels"]).sentence()


def draw_prediction(
    source: keras_hpa.Source,
    numbers: Sequence[int],
    scores: np.ndarray,
    labels: np.ndarray,
    calibrator: keras_hpa.ThresholdCalibrator,
) -> Figure:
    """The first sample with two labels that was predicted right, and the first that was not: merges and scores."""
    right = (calibrator.predict(scores) == labels).all(axis=1)
    shown = [np.flatnonzero(right & (labels.sum(axis=1) == 2))[0], np.flatnonzero(~right)[0]]
    figure = Figure(figsize=(9, 7.2), layout="constrained", dpi=100)
    panels = figure.subplots(2, 2, width_ratios=(1.2, 1))
    margins = calibrator.transform(scores)
    for (picture, bars), place in zip(panels, shown, strict=True):
        picture.imshow(merge(source.read(numbers[place])))
        picture.set_axis_off()
        best = np.argsort(-margins[place])[:NUM_CLASSES_SHOWN]
        rows = np.arange(len(best))
        true = labels[place, best] == 1
        bars.barh(rows, scores[place, best], color=np.where(true, ORANGE, GRAY), height=0.62)
        for row, (number, score) in enumerate(zip(best, scores[place, best], strict=True)):
            threshold = calibrator.thresholds_[number]
            bars.plot([threshold] * 2, [row - 0.42, row + 0.42], color="black", linewidth=1.5)
            bars.text(max(score, threshold) + 0.015, row, f"{score:.2f}", va="center", fontsize=9)
        bars.set(yticks=rows, xlim=(0, 1), xlabel="score")
        bars.set_yticklabels([NAMES[n] for n in best])
        for label, number in zip(bars.get_yticklabels(), best, strict=True):
            label.set_fontweight("bold" if margins[place, number] >= 0 else "normal")
        bars.invert_yaxis()
        bars.spines[["top", "right"]].set_visible(False)
        picture.set_title(", ".join(NAMES[number] for number in np.flatnonzero(labels[place])), color=ORANGE)
    figure.supxlabel("orange: classes that were drawn; black: thresholds; bold: predicted", fontsize=10)
    return figure


def merge(image: np.ndarray) -> np.ndarray:
    """Red, green and blue as they are, yellow faintly in red and green; each channel brightened by itself."""
    white = np.maximum(np.percentile(image, 99.5, axis=(0, 1)), 1)
    red, green, blue, yellow = np.moveaxis(np.clip(image / white, 0, 1), -1, 0)
    return np.clip(np.stack([0.7 * red + 0.25 * yellow, green + 0.25 * yellow, 0.9 * blue], axis=-1), 0, 1)


def draw_per_class_f1(rows: Sequence[dict]) -> Figure:
    """F1 of each class on the test samples with its interval, the best first."""
    ordered = sorted(rows, key=lambda row: row["f_beta"])
    places, values = np.arange(len(ordered)), np.array([row["f_beta"] for row in ordered])
    figure = Figure(figsize=(8.6, 7), layout="constrained", dpi=100)
    axes = figure.subplots()
    axes.barh(places, values, color=BLUE, height=0.66)
    axes.hlines(places, [row["low"] for row in ordered], [row["high"] for row in ordered], color="black", linewidth=1)
    axes.axvline(values.mean(), color=ORANGE, linestyle="--")
    axes.text(values.mean() + 0.01, 0, f"macro-F1 {values.mean():.2f}", color=ORANGE, va="center")
    axes.set(yticks=places, xlim=(0, 1), xlabel="F1 on test samples, with a 95 % interval")
    axes.set_yticklabels([f"{row['class']} ({row['support']:.0f})" for row in ordered], fontsize=9)
    axes.set_ylim(-0.7, len(ordered) - 0.3)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_classes() -> Figure:
    """The middle of one sample of each class, with no other class: protein green, microtubules red, nuclei blue."""
    source = keras_hpa.SyntheticAtlas(1400, image_size=512, seed=5, balance="uniform")
    figure = Figure(figsize=(15.4, 9.4), layout="constrained", dpi=100)
    for number, axes in enumerate(figure.subplots(4, 7).flat):
        alone = np.flatnonzero((source.labels[:, number] == 1) & (source.labels.sum(axis=1) == 1))
        stained = max((source.read(index) for index in alone[:6]), key=lambda image: np.percentile(image[..., 1], 99.5))
        axes.imshow(merge(stained[96:416, 96:416] * np.array([1, 1, 1, 0])))
        axes.set_title(NAMES[number], fontsize=11)
        axes.set_axis_off()
    return figure


def draw_perfect_predictor() -> Figure:
    """What the mean over batches gives a perfect predictor, by the size of the batch."""
    labels = keras_hpa.SyntheticAtlas(31072).labels
    sizes = [4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]
    present = [
        np.mean([labels[start : start + size].any(axis=0).mean() for start in range(0, len(labels), size)])
        for size in sizes
    ]
    figure = Figure(figsize=(6.4, 3.2), layout="constrained", dpi=100)
    axes = figure.subplots()
    axes.axhline(1, color=BLUE, label="MacroF1, at any batch size")
    axes.plot(sizes, present, "o-", color=ORANGE, markersize=4, label="mean over batches")
    axes.set_xscale("log", base=2)
    axes.set(xlabel="batch size", ylabel="score of a perfect predictor", ylim=(0, 1.05), xticks=sizes)
    axes.set_xticklabels([str(size) for size in sizes])
    axes.legend(frameon=False, loc="lower right")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def draw_over_fitting() -> Figure:
    """F1 against the threshold on a few samples and on many, for a class of 2 %."""

    def draw(rng: np.random.Generator, num_positives: int) -> tuple[np.ndarray, np.ndarray]:
        labels = np.zeros(50 * num_positives, int)
        labels[:num_positives] = 1
        return 1 / (1 + np.exp(3 - 2.5 * labels - rng.normal(size=len(labels)))), labels

    cuts = np.linspace(0.02, 0.9, 400)
    rng = np.random.default_rng(5)
    new_scores, new_labels = draw(rng, 2000)
    truth = f1_at(cuts, new_scores, new_labels)
    figure = Figure(figsize=(8.6, 3), layout="constrained", dpi=100)
    for axes, num_positives in zip(figure.subplots(1, 3, sharey=True), (5, 20, 500), strict=True):
        scores, labels = draw(rng, num_positives)
        found = f1_at(cuts, scores, labels)
        best = found.argmax()
        axes.plot(cuts, truth, color=BLUE, label="on new data")
        axes.plot(cuts, found, color=ORANGE, label="where it is fitted")
        axes.plot([cuts[best]] * 2, [found[best], truth[best]], color="black", linewidth=1, zorder=3)
        axes.plot(cuts[best], found[best], "o", color=ORANGE)
        axes.plot(cuts[best], truth[best], "o", color=BLUE)
        axes.set(title=f"{num_positives} positives", xlabel="threshold", ylim=(0, 1))
        axes.spines[["top", "right"]].set_visible(False)
        if num_positives == 5:
            axes.set_ylabel("F1")
            axes.legend(frameon=False, fontsize=8, loc="lower right")
    return figure


def f1_at(cuts: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    predicted = scores[:, None] >= cuts
    return 2 * (predicted & (labels[:, None] == 1)).sum(axis=0) / (predicted.sum(axis=0) + labels.sum())


def save(figure: Figure, path: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", bbox_inches="tight", pad_inches=0.08)
    with Image.open(buffer) as picture:
        write(picture, path)


def write(picture: Image.Image, path: Path) -> None:
    picture.convert("RGB").save(path, quality=85, method=6)
    print(f"{path}: {picture.width} x {picture.height}, {path.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
