"""Do intervals, comparisons and promises hold? Simulations with fixed seeds, on classes whose every metric is known.

    python benchmarks/evaluation.py [--draws 100]

Prints how often 95 % intervals cover the truth, by how many groups hold a positive; how often `compare` calls one of
two models better that are none; how often rules that promise break it; and what macro-F1 gains in another population
whose prevalence is estimated from scores without labels. `--only shifts` prints the last alone.
"""

import argparse
import dataclasses
import time
import warnings
from collections import defaultdict

import numpy as np
from simulated_classes import SimulatedClasses
from simulated_scores import simulate_network

from keras_hpa import ThresholdCalibrator
from keras_hpa.evaluation import compare, evaluate
from keras_hpa.thresholds import Precision, Prevalence, Recall, estimate_prevalence

METRICS = ("precision", "recall", "f1", "average_precision", "roc_auc")
SUPPORTS = {"1 to 4": (1, 5), "5 to 19": (5, 20), "20 to 49": (20, 50), "50 and more": (50, 10**9)}
PREVALENCE = np.repeat([0.008, 0.015, 0.03, 0.06, 0.12, 0.3], 3)
SKILL = np.tile([1.0, 2.0, 3.5], 6)
SETTINGS = {
    "independent rows": SimulatedClasses(PREVALENCE, SKILL),
    "groups of 5, scores a little alike": SimulatedClasses(PREVALENCE, SKILL, group_size=5, alike=0.2),
    "groups of 5, scores much alike": SimulatedClasses(PREVALENCE, SKILL, group_size=5, alike=0.8),
}


def coverage(classes, num_draws, num_samples=1000):
    """For each metric and range of support: the share of intervals that hold the truth, their width, how many."""
    truth, found = classes.truth(), defaultdict(list)
    for draw in range(num_draws):
        scores, labels, groups = classes.sample(num_samples, np.random.default_rng([draw, 5]))
        table = evaluate(scores, labels, thresholds=classes.thresholds, groups=groups, num_draws=1)
        for column, row in enumerate(table.rows[: table.num_classes]):
            support = next((name for name, (low, high) in SUPPORTS.items() if low <= row["groups"] < high), None)
            for metric in METRICS:
                low, high = row[f"{metric}_low"], row[f"{metric}_high"]
                if support and low == low:
                    found[metric, support].append((low <= truth[metric][column] <= high, high - low))
    return {key: (*np.mean(values, axis=0), len(values)) for key, values in found.items()}


def null(classes, num_draws, *, metric="macro_f1", num_runs=1, num_samples=300):
    """How often one of two models is called better that are the same but for noise, exchanged group by group."""
    called = 0
    for draw in range(num_draws):
        rng = np.random.default_rng([draw, 6])
        scores, labels, groups = classes.sample(num_samples, rng)
        codes = np.arange(num_samples) if groups is None else groups

        def noisy(scores=scores, codes=codes, rng=rng):
            """The scores with noise of each group's own."""
            noise = rng.normal(size=scores.shape)[codes] + 0.5 * rng.normal(size=scores.shape)
            odds = scores / (1 - scores) * np.exp(0.7 * noise)
            return odds / (1 + odds)

        a, b = ([noisy() for _ in range(num_runs)] for _ in range(2))
        options = {"thresholds": classes.thresholds, "groups": groups, "num_draws": 250, "metric": metric, "seed": draw}
        called += compare(a, b, labels, **options).verdict != "cannot tell"
    return called / num_draws


def promises(rule, classes, num_draws, num_samples=1000):
    """How often a promise is made, and of those broken; and the positives predicted beside the best threshold's."""
    made, broken, predicted, possible = [], [], 0.0, 0.0
    for draw in range(num_draws):
        scores, labels, groups = classes.sample(num_samples, np.random.default_rng([draw, 9]))
        calibrator = ThresholdCalibrator(rule).fit(scores, labels, groups=groups)
        promised = np.array([not any("promise" in flag for flag in flags) for flags in calibrator.flags_])
        thresholds = np.where(promised, calibrator.thresholds_, 0.5)
        is_precision = isinstance(rule, Precision)
        kept = (classes.precision_at if is_precision else classes.recall_at)(thresholds)
        made.append(promised)
        broken.append(promised & (kept < rule.at_least))
        if is_precision:
            positives = classes.prevalence * promised
            predicted += (positives * classes.recall_at(thresholds)).sum()
            possible += (positives * classes.recall_at(classes.threshold_of_precision(rule.at_least))).sum()
    count = np.sum(made)
    return np.mean(made), np.sum(broken) / max(count, 1), predicted / possible if possible else np.nan


def promises_of_networks(rule, num_networks, num_samples=1000):
    """As `promises`, of precision, on networks that are wrong at the top too, as real ones are."""
    cuts = 1 / (1 + np.exp(-np.linspace(-12, 12, 600)))
    made = broken = 0
    predicted = possible = 0.0
    for number in range(num_networks):
        network = simulate_network(number)
        num_classes = len(network.prevalence)
        rates = np.array([network.rates(np.full(num_classes, cut)) for cut in cuts])
        true, false = rates[:, 0], rates[:, 1]
        good = true >= rule.at_least * (true + false)
        best = np.where(good.any(axis=0), true[good.argmax(axis=0), np.arange(num_classes)], 0)
        for draw in range(5):
            scores, labels = network.sample(num_samples, np.random.default_rng([number, draw]))
            thresholds = ThresholdCalibrator(rule).fit(scores, labels).thresholds_
            promised = np.isfinite(thresholds)
            tp, fp = network.rates(np.where(promised, thresholds, 0.5))
            made += promised.sum()
            broken += (promised & (tp < rule.at_least * (tp + fp))).sum()
            predicted, possible = predicted + tp[promised].sum(), possible + best[promised].sum()
    return made, broken / made, predicted / possible


SHIFTS = {
    "none": (1, 1),
    "rare classes x 3": (3, 1),
    "rare classes / 3": (1 / 3, 1),
    "frequent classes x 2": (1, 2),
    "frequent classes / 2": (1, 1 / 2),
}


def shifts(num_networks, num_samples, num_new=5000, names=tuple(SHIFTS)):
    """Macro-F1 in a population where the rarer, or the more frequent, half of the classes occurs more or less often.

    For each shift: at thresholds matched to the labels, to the estimate from `num_new` scores, and to the true
    prevalence; how many shares the scores can tell, and how many of all intervals hold the truth.
    """
    found = defaultdict(list)
    for number in range(num_networks):
        network = simulate_network(number)
        scores, labels = network.sample(num_samples, np.random.default_rng([number, 3]))
        present = labels.any(axis=0)
        labelled = ThresholdCalibrator("prevalence").fit(scores, labels).thresholds_
        is_rare = network.prevalence < np.median(network.prevalence)
        for name in names:
            of_rare, of_frequent = SHIFTS[name]
            true = np.minimum(network.prevalence * np.where(is_rare, of_rare, of_frequent), 0.9)
            other = dataclasses.replace(network, prevalence=true)
            new, _ = other.sample(num_new, np.random.default_rng([number, 5]))
            known = [np.quantile(column, 1 - share) for column, share in zip(new.T, true, strict=True)]
            estimated = ThresholdCalibrator(Prevalence(from_scores=new)).fit(scores, labels).thresholds_
            estimate = estimate_prevalence(scores, labels, new)
            told = estimate.is_told
            f1 = [other.f1(np.where(present, one, np.inf)).mean() for one in (labelled, estimated, known)]
            held = (estimate.low <= true) & (true <= estimate.high)
            found[name].append([*f1, told[present].mean(), held[told].mean() if told.any() else np.nan])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return {name: np.nanmean(rows, axis=0) for name, rows in found.items()}


def print_shifts(num_networks):
    for num_samples in (1000, 3000):
        print(
            f"\nPrevalence from 5,000 scores without labels, {num_samples:,} labelled samples, {num_networks} networks"
        )
        print(f"{'shift':22}{'labels':>8}{'scores':>8}{'known':>8}{'gain':>8}{'of':>8}{'told':>7}{'held':>7}")
        for name, (labelled, estimated, known, told, held) in shifts(num_networks, num_samples).items():
            gain, possible = estimated - labelled, known - labelled
            print(
                f"{name:22}{labelled:8.4f}{estimated:8.4f}{known:8.4f}{gain:+8.4f}{possible:+8.4f}{told:7.2f}{held:7.3f}"
            )


def speed():
    """Seconds for 11,702 samples of 28 classes with 1,000 draws."""
    classes = SimulatedClasses(np.geomspace(0.4, 0.001, 28), np.full(28, 2.0), group_size=5)
    scores, labels, groups = classes.sample(11702, np.random.default_rng(0))
    start = time.perf_counter()
    evaluate(scores, labels, groups=groups, num_draws=1000)
    evaluated = time.perf_counter()
    compare(scores, scores**1.1, labels, groups, num_draws=1000)
    return evaluated - start, time.perf_counter() - evaluated


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--only", choices=["shifts"], help="one part")
    args = parser.parse_args()
    if args.only:
        return print_shifts(max(args.draws // 4, 1))
    draws = args.draws
    for name, classes in SETTINGS.items():
        print(f"\n95 % intervals, {name}, {draws} sets of 1,000 samples: coverage (mean width)")
        found = coverage(classes, draws)
        print(f"{'groups with a positive':24}" + "".join(f"{metric:>20}" for metric in METRICS))
        for support in SUPPORTS:
            cells = (found.get((metric, support)) for metric in METRICS)
            text = (f"{one[0]:.3f} ({one[1]:.2f})" if one else "not enough" for one in cells)
            print(f"{support:24}" + "".join(f"{one:>20}" for one in text))
    small = np.geomspace(0.3, 0.03, 5), np.full(5, 2.0)
    print("\nTwo models that are equally good: one is called better in")
    for name, size in (("independent rows", 1), ("groups of 5", 5)):
        classes = SimulatedClasses(*small, group_size=size)
        for metric in ("macro_f1", "macro_average_precision"):
            print(f"{name:20} {metric:26} {null(classes, 10 * draws, metric=metric):.3f} of {10 * draws}")
    share = null(SimulatedClasses(*small), draws, num_runs=3)
    print(f"{'independent rows':20} {'macro_f1, 3 runs each':26} {share:.3f} of {draws}")
    print("\nPromises of .9 with confidence .95 on 1,000 samples: made, broken of those, positives beside the best")
    steps = np.repeat([0.02, 0.05, 0.1, 0.2, 0.4], 4), np.tile([1.5, 2.0, 3.0, 4.0], 5)
    for rule in (Precision(at_least=0.9), Recall(at_least=0.9)):
        for name, size, alike in (("independent rows", 1, 0), ("a little alike", 5, 0.2), ("much alike", 5, 0.8)):
            made, broken, share = promises(rule, SimulatedClasses(*steps, size, alike), draws)
            print(f"{type(rule).__name__:10} {name:20} {made:.3f}  {broken:.3f}  {share:.3f}")
    for at_least in (0.8, 0.9):
        made, broken, share = promises_of_networks(Precision(at_least=at_least), draws // 4)
        print(f"Precision({at_least}) on {draws // 4} simulated networks: {made} made  {broken:.3f}  {share:.3f}")
    print_shifts(draws // 4)
    print("\n11,702 samples, 28 classes, 1,000 draws: evaluate {:.1f} s, compare {:.1f} s".format(*speed()))


if __name__ == "__main__":
    main()
