"""Draws a data set, trains on it what the report had and what there is now, and prints what they score on new samples.

    python examples/demo.py --output demo

The drawings go through files on disk and `load_kaggle`, as real data do. Every class is equally frequent in them. Each
training has the same budget of steps; it is repeated with other seeds while there is time. There are both models of the
report and the recipe that measured best, which begin with random weights, and the recipe on the weights of the package,
which learned from drawings of the same kind: what it scores here says nothing about real cells.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import best_recipe
import keras
import numpy as np
import report_gapnet
import report_inception_resnet_v2

import keras_hpa
from keras_hpa.f_beta import f_beta_per_class, mean_f_beta

NUM_TRAIN, NUM_TEST, IMAGE_SIZE = 1200, 300, 96
EPOCHS, STEPS, BATCH_SIZE = 16, 25, 16
RECIPE = "recipe"
RULES = ("0.2", "0.5", "as fitted", "auto")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("demo"))
    parser.add_argument("--inception-backbone", default="MobileNetV2", help="the network in the second script")
    parser.add_argument("--minutes", type=float, default=7, help="no further seed is begun if it would end later")
    args = parser.parse_args(argv)
    begin = time.monotonic()

    data = args.output / "data"
    atlas = keras_hpa.SyntheticAtlas(NUM_TRAIN + NUM_TEST, image_size=(IMAGE_SIZE, IMAGE_SIZE), balance="uniform")
    atlas.save(data, num_test=NUM_TEST)
    samples = keras_hpa.load_kaggle(data)
    names = [samples.class_names[number] for number in np.flatnonzero(samples.labels[0])]
    figure = keras_hpa.plots.plot_channels(samples.read(0), samples.channels, title=", ".join(names))
    figure.savefig(args.output / "sample.png")

    budget = [f"--epochs={EPOCHS}", f"--steps={STEPS}", f"--batch-size={BATCH_SIZE}", f"--image-size={IMAGE_SIZE}"]
    second = [f"--backbone={args.inception_backbone}", "--weights=none", "--reestimate-batch-norm"]
    runs = {
        "GapNet, kernel": (report_gapnet.main, ["--preset=kernel", "--batch-norm-momentum=0.9"]),
        "GapNet, report": (report_gapnet.main, ["--preset=report", "--batch-norm-momentum=0.9"]),
        f"{args.inception_backbone}, report": (report_inception_resnet_v2.main, ["--preset=report", *second]),
        RECIPE: (best_recipe.main, []),
        f"{RECIPE}, drawn": (best_recipe.main, ["--weights=drawn"]),
    }
    results: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    training = time.monotonic()
    for seed in range(10):
        now = time.monotonic()
        if seed and now - begin + (now - training) / seed > 60 * args.minutes:
            break
        for name, (train, options) in runs.items():
            print(f"\n=== {name}, seed {seed}")
            folder = args.output / f"{name.replace(', ', '_')}_{seed}"
            train([f"--data={data}", f"--output={folder}", f"--seed={seed}", *budget, *options])
            transforms = "dihedral" if name.startswith(RECIPE) else None
            results[name].append(score(folder, data, atlas.labels[NUM_TRAIN:], transforms))
    print_table(results, atlas.labels[NUM_TRAIN:])
    print(f"\nTo look at: {args.output / 'sample.png'}, and report.html of each run.")


def score(folder: Path, data: Path, labels: np.ndarray, transforms: str | None) -> dict[str, float]:
    """Macro-F1 of what an example left in its folder, on the test samples."""
    test = keras_hpa.load_kaggle(data, "test")
    model = keras.saving.load_model(folder / "model.keras")
    scores = keras_hpa.predict_scores(model, test, transforms, verbose=0)
    validation = np.load(folder / "validation_scores.npz")
    auto = keras_hpa.ThresholdCalibrator("auto").fit(validation["scores"], validation["labels"])
    fitted = keras_hpa.ThresholdCalibrator.load(folder / "thresholds.json")
    predictions = (scores >= 0.2, scores >= 0.5, fitted.predict(scores), auto.predict(scores))
    return {rule: macro_f1(labels, predicted) for rule, predicted in zip(RULES, predictions, strict=True)}


def print_table(results: dict[str, list[dict[str, float]]], labels: np.ndarray) -> None:
    print(f"\nMacro-F1 on {len(labels)} drawn samples that no training and no threshold has seen, by thresholds:")
    print(f"{'':26}{'steps':>6}{'seeds':>6}" + "".join(f"{rule:>14}" for rule in RULES))
    floor = macro_f1(labels, np.ones_like(labels))
    print(f"{'everything predicted':26}{0:6}{'':6}" + "".join(f"{floor:14.3f}" for _ in RULES))
    for name, scores in results.items():
        cells = []
        for rule in RULES:
            values = [one[rule] for one in scores]
            spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.3f}{spread}")
        print(f"{name:26}{EPOCHS * STEPS:6}{len(scores):6}" + "".join(f"{cell:>14}" for cell in cells))
    print("The report's GapNet trains its head for one more pass. 'as fitted': by that preset's rule; ±: over seeds.")


def macro_f1(labels: np.ndarray, predicted: np.ndarray) -> float:
    return mean_f_beta(f_beta_per_class(labels, predicted))


if __name__ == "__main__":
    main()
