"""Which rule finds the thresholds that hold on new data, and how fast.

    KERAS_HPA_DATA=FOLDER python benchmarks/thresholds.py --simulated 60

Real scores come from `scores/validation_6215.npz` in the folder named by KERAS_HPA_DATA; without it, and with
`--simulated` as well, the rules are compared on simulated networks, where the constants of "auto" were chosen.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from simulated_scores import simulate_network
from sklearn.metrics import f1_score, precision_recall_curve
from trials import class_f1, macro_f1, with_error

from keras_hpa import ThresholdCalibrator, atlas, plots
from keras_hpa.thresholds import Auto

SIZES = (150, 300, 1000, 3107)
RULES = (
    "report",
    "fixed",
    "max_f1",
    "global",
    "prevalence",
    "shrink",
    "calibrated",
    "resampled_max_f1",
    "resampled_prevalence",
    "auto",
)
NETWORKS = ("resnet34", "vgg16", "blue_only_vgg16")
GOOD_NETWORKS = NETWORKS[:2]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--splits", type=int, default=10, help="random splits of the real scores")
    parser.add_argument("--simulated", type=int, default=0, metavar="N", help="compare on N simulated networks too")
    parser.add_argument("--first-network", type=int, default=1000, help="seed of the first simulated network")
    parser.add_argument("--figure", type=Path, help="where to draw F1 against the threshold for some classes")
    arguments = parser.parse_args(argv)

    folder = os.environ.get("KERAS_HPA_DATA")
    if folder:
        with np.load(Path(folder) / "scores" / "validation_6215.npz") as file:
            scores, labels = {name: file[name] for name in NETWORKS}, file["labels"]
        for absent in ("never", "highest_score"):
            gains = {name: real_gains(scores[name], labels, absent, arguments.splits) for name in NETWORKS}
            good = np.concatenate([gains[name] for name in GOOD_NETWORKS], axis=0)
            print_table(f"Two good networks, absent_classes={absent!r}", good, len(GOOD_NETWORKS))
            print_table(f"The poor network, absent_classes={absent!r}", gains["blue_only_vgg16"], 1)
        print_parts([scores[name] for name in GOOD_NETWORKS], labels, arguments.splits)
        if arguments.figure:
            draw_curves(scores["resnet34"], labels, arguments.figure)
    if arguments.simulated or not folder:
        seeds = range(arguments.first_network, arguments.first_network + (arguments.simulated or 40))
        for absent in ("never", "highest_score"):
            gains = np.array([simulated_gains(seed, absent) for seed in seeds])
            print_table(f"{len(seeds)} simulated networks, absent_classes={absent!r}", gains, 1)
    print_times()


def real_gains(scores: np.ndarray, labels: np.ndarray, absent: str, num_splits: int) -> np.ndarray:
    """Held-out macro-F1 of each rule, shape (splits, rules, sizes)."""
    values = np.zeros((num_splits, len(RULES), len(SIZES)))
    for split in range(num_splits):
        order = np.random.default_rng([split]).permutation(len(labels))
        for column, size in enumerate(SIZES):
            fitted, held_out = order[:size], order[size:]
            for row, rule in enumerate(RULES):
                calibrator = fit(rule, absent, scores[fitted], labels[fitted])
                predicted = calibrator.predict(scores[held_out])
                values[split, row, column] = macro_f1(labels[held_out], predicted)
    return values


def simulated_gains(seed: int, absent: str) -> np.ndarray:
    """Macro-F1 of each rule on endless data from one simulated network, shape (rules, sizes)."""
    network = simulate_network(seed)
    values = np.zeros((len(RULES), len(SIZES)))
    for column, size in enumerate(SIZES):
        scores, labels = network.sample(size, np.random.default_rng([seed, size]))
        for row, rule in enumerate(RULES):
            values[row, column] = network.f1(fit(rule, absent, scores, labels).thresholds_).mean()
    return values


def fit(rule: str, absent: str, scores: np.ndarray, labels: np.ndarray) -> ThresholdCalibrator:
    """With `absent="highest_score"`, a class that a rule would never predict is predicted above its highest score."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the report's rule warns of every class it never saw
        calibrator = ThresholdCalibrator(Auto(absent_classes="never") if rule == "auto" else rule).fit(scores, labels)
    if absent == "highest_score":
        highest = np.nextafter(scores.max(axis=0).astype(np.float64), np.inf)
        calibrator.thresholds_ = np.where(np.isinf(calibrator.thresholds_), highest, calibrator.thresholds_)
    return calibrator


def print_table(title: str, values: np.ndarray, num_networks: int) -> None:
    """The mean macro-F1 of the report's rule, and what each other gains, with the standard error over splits.

    Networks share their splits, so that they are averaged before the error is taken.
    """
    values = values.reshape(num_networks, -1, *values.shape[1:]).mean(axis=0)
    gains = values - values[:, :1]
    print(f"\n{title}: gain in held-out macro-F1 over the report's rule")
    print("| rule | " + " | ".join(f"{size} rows" for size in SIZES) + " |")
    print("| --- |" + " --- |" * len(SIZES))
    print("| report | " + " | ".join(f"{value:.3f}" for value in values[:, 0].mean(axis=0)) + " |")
    for row, rule in enumerate(RULES[1:], 1):
        cells = [with_error(column, "+.4f") for column in gains[:, row].T]
        print(f"| {rule} | " + " | ".join(cells) + " |")
    others = values[:, :-1].mean(axis=0)
    best = others.argmax(axis=0)
    lead = values[:, -1] - values[:, best, np.arange(len(SIZES))]
    cells = [f"{with_error(column, '+.4f')} ({RULES[b]})" for column, b in zip(lead.T, best, strict=True)]
    print("| auto minus the best other | " + " | ".join(cells) + " |")


def print_parts(networks: list[np.ndarray], labels: np.ndarray, num_splits: int) -> None:
    """How much of macro-F1 comes from classes that the fitting rows have, and how much from those that they lack."""
    rules = ("report", "fixed", "auto")
    parts = np.zeros((num_splits, len(networks), len(rules), len(SIZES), 2))
    num_absent = np.zeros((num_splits, len(SIZES)))
    for split in range(num_splits):
        order = np.random.default_rng([split]).permutation(len(labels))
        for column, size in enumerate(SIZES):
            fitted, held_out = order[:size], order[size:]
            absent = ~labels[fitted].any(axis=0)
            num_absent[split, column] = absent.sum()
            for place, scores in enumerate(networks):
                for row, rule in enumerate(rules):
                    calibrator = fit(rule, "highest_score", scores[fitted], labels[fitted])
                    each = class_f1(labels[held_out], calibrator.predict(scores[held_out])) / len(absent)
                    parts[split, place, row, column] = each[~absent].sum(), each[absent].sum()
    print("\nTwo good networks: macro-F1 from classes that the fitting rows have + from those that they lack")
    print("| rule | " + " | ".join(f"{size} rows" for size in SIZES) + " |")
    print("| --- |" + " --- |" * len(SIZES))
    for rule, values in zip(rules, parts.mean(axis=(0, 1)), strict=True):
        print(f"| {rule} | " + " | ".join(f"{there:.3f} + {lacking:.3f}" for there, lacking in values) + " |")
    print("| classes that they lack | " + " | ".join(f"{number:.1f}" for number in num_absent.mean(axis=0)) + " |")


def draw_curves(scores: np.ndarray, labels: np.ndarray, path: Path) -> None:
    """Fits on 1,000 samples and draws the curves of the rest for frequent, middle and rare classes."""
    order = np.random.default_rng([0]).permutation(len(labels))
    fitted, held_out = order[:1000], order[1000:]
    calibrator = ThresholdCalibrator(class_names=atlas.CLASS_NAMES).fit(scores[fitted], labels[fitted])
    by_support = np.argsort(-calibrator.support_, kind="stable")
    chosen = by_support[[0, 1, 8, 12, 18, 22, 24, 27]].tolist()
    plots.plot_threshold_curves(calibrator, scores[held_out], labels[held_out], classes=chosen).savefig(path)


def print_times() -> None:
    """How long a fit takes on as many samples as the atlas has, against what others do."""
    rng = np.random.default_rng(0)
    prevalence = np.array(atlas.CLASS_COUNTS) / 31072
    labels = (rng.uniform(size=(31072, 28)) < prevalence).astype(np.uint8)
    scores = (1 / (1 + np.exp(3 - 4 * labels - rng.normal(size=labels.shape)))).astype(np.float32)

    def each_curve() -> None:
        for column in range(28):
            precision_recall_curve(labels[:, column], scores[:, column])

    def each_grid() -> None:
        # Five of the 28,000 calls of the report's loop, to be scaled.
        for threshold in np.arange(0, 1, 0.001)[::200]:
            f1_score(labels[:, 0], scores[:, 0] > threshold)

    exact = shortest(lambda: ThresholdCalibrator("max_f1").fit(scores, labels))
    auto = shortest(lambda: ThresholdCalibrator("auto").fit(scores, labels))
    curves = shortest(each_curve)
    loop = shortest(each_grid, repeats=3) * 28 * 1000 / 5
    print("\nOne fit on 31,072 x 28")
    print("| | seconds | in fits of max_f1 |\n| --- | --- | --- |")
    for name, seconds in (
        ('`"max_f1"`', exact),
        ('`"auto"`', auto),
        ("scikit-learn's `precision_recall_curve` per class", curves),
        ("the report's loop of `f1_score`, extrapolated from 5 calls", loop),
    ):
        print(f"| {name} | {seconds:.3f} | {seconds / exact:.1f} |")


def shortest(call: Callable[[], object], repeats: int = 7) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
