"""How far calibrated probabilities hold on new data, beside scikit-learn's.

    KERAS_HPA_DATA=FOLDER python benchmarks/calibration.py [--splits 10] [--simulated 16]

Prints held-out log loss and calibration error at four numbers of fitting rows: on the real scores of
`scores/validation_6215.npz` in the folder named by KERAS_HPA_DATA, and on simulated networks, on which the constants
were chosen. scikit-learn's calibrators cannot fit a class without positives: each row gets 1 / (rows + 2) there.
"""

import argparse
import os
import warnings
from pathlib import Path

import numpy as np
from simulated_scores import simulate_network
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold

from keras_hpa import ProbabilityCalibrator

SIZES = (150, 300, 1000, 3107)
NETWORKS = ("resnet34", "vgg16")
OURS = ("temperature", "platt", "isotonic", "auto")
THEIRS = ("sigmoid", "isotonic", "temperature")


class GivenScores(ClassifierMixin, BaseEstimator):
    """A classifier whose decision function is its one column: logits."""

    def fit(self, x, y):
        self.classes_ = np.array([0, 1])
        return self

    def decision_function(self, x):
        return np.asarray(x)[:, 0]

    def predict(self, x):
        return (self.decision_function(x) > 0).astype(int)


def logits_of(scores):
    clipped = np.clip(scores.astype(np.float64), 1e-9, 1 - 2.0**-24)
    return np.log(clipped) - np.log1p(-clipped)


def theirs(method, scores, labels, held_out):
    """scikit-learn's calibrator for each class, after `GivenScores`."""
    found = np.array(held_out, np.float64)
    for column, (one, positive, new) in enumerate(
        zip(logits_of(scores).T, labels.T, logits_of(held_out).T, strict=True)
    ):
        if 0 < positive.sum() < len(positive):
            given = FrozenEstimator(GivenScores().fit(None, None))
            folds = list(KFold(2).split(one))  # of a frozen estimator all rows are used, whatever the folds
            calibrator = CalibratedClassifierCV(given, method=method, cv=folds).fit(one[:, None], positive)
            found[:, column] = calibrator.predict_proba(new[:, None])[:, 1]
        else:
            found[:, column] = (positive.sum() + 1) / (len(positive) + 2)
    return found


def log_loss(probabilities, labels):
    """The mean over samples and classes; probabilities of 0 and 1 are taken for 1e-7 from it."""
    p = np.clip(probabilities, 1e-7, 1 - 1e-7)
    return -np.where(labels == 1, np.log(p), np.log1p(-p)).mean()


def calibration_error(probabilities, labels, num_bins=10):
    """The mean over classes of the distance, in tenths of the scale, between mean score and share of positives."""
    bins = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    errors = [
        np.abs(np.bincount(one, p - y, minlength=num_bins)).sum() / len(y)
        for one, p, y in zip(bins.T, probabilities.T, labels.T, strict=True)
    ]
    return np.mean(errors)


def judge(scores, labels, new_scores, new_labels):
    """Log loss and calibration error of every method: a mapping to pairs."""
    found = {"scores as they are": new_scores.astype(np.float64)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few positives, and of a temperature that ends at its limit
        found |= {f"scikit-learn, {one}": theirs(one, scores, labels, new_scores) for one in THEIRS}
    found |= {one: ProbabilityCalibrator(one).fit(scores, labels).transform(new_scores) for one in OURS}
    return {name: (log_loss(one, new_labels), calibration_error(one, new_labels)) for name, one in found.items()}


def real(splits):
    """Of two networks: for each method an array of shape `(splits, sizes, 2)`, the mean of both."""
    with np.load(Path(os.environ["KERAS_HPA_DATA"]) / "scores" / "validation_6215.npz") as file:
        networks, labels = [file[name] for name in NETWORKS], file["labels"]
    values = {}
    for split in range(splits):
        order = np.random.default_rng([split]).permutation(len(labels))
        for scores in networks:
            for place, size in enumerate(SIZES):
                a, b = order[:size], order[size:]
                for name, pair in judge(scores[a], labels[a], scores[b], labels[b]).items():
                    array = values.setdefault(name, np.zeros((splits, len(SIZES), 2)))
                    array[split, place] += np.array(pair) / len(networks)
    return values


def simulated(num_networks, first=500, sizes=SIZES):
    """As `real`, on simulated networks and 10,000 new rows of each."""
    values = {}
    for number in range(num_networks):
        network = simulate_network(first + number)
        new = network.sample(10000, np.random.default_rng([number, 99]))
        for place, size in enumerate(sizes):
            sample = network.sample(size, np.random.default_rng([number, size]))
            for name, pair in judge(*sample, *new).items():
                values.setdefault(name, np.zeros((num_networks, len(sizes), 2)))[number, place] = pair
    return values


def print_table(title, values):
    for column, words in enumerate(("log loss", "calibration error")):
        print(f"\n{title}: held-out {words}")
        print("| | " + " | ".join(f"{size} rows" for size in SIZES) + " |\n| --- |" + " --- |" * len(SIZES))
        for name, array in values.items():
            print(f"| {name} | " + " | ".join(f"{one:.4f}" for one in array[..., column].mean(axis=0)) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--simulated", type=int, default=16, metavar="N")
    arguments = parser.parse_args()
    if "KERAS_HPA_DATA" in os.environ:
        print_table(f"Two networks, {arguments.splits} splits", real(arguments.splits))
    if arguments.simulated:
        print_table(f"{arguments.simulated} simulated networks", simulated(arguments.simulated))


if __name__ == "__main__":
    main()
