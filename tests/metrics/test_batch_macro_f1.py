import csv

import keras
import numpy as np
import pytest

from keras_hpa import BatchMacroF1, parse_labels
from tests.helpers import check_constructor_arguments, check_registration


def test_is_the_mean_over_batches_of_the_soft_score():
    rng = np.random.default_rng(0)
    labels, scores = rng.integers(0, 2, (10, 3)), rng.random((10, 3)).astype("float32")
    labels[:, 2] = 0
    metric = BatchMacroF1()
    batches = [slice(0, 4), slice(4, 8), slice(8, 10)]
    for rows in batches:
        metric.update_state(labels[rows], scores[rows])
    expected = np.mean([_soft_macro_f1(labels[rows], scores[rows]) for rows in batches])
    assert float(metric.result()) == pytest.approx(expected, abs=1e-6)


def test_fit_counts_a_short_last_batch_like_any_other():
    rng = np.random.default_rng(1)
    inputs, labels = rng.normal(size=(10, 2)).astype("float32"), rng.integers(0, 2, (10, 3))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[BatchMacroF1()])
    logged = model.evaluate(inputs, labels, batch_size=4, verbose=0, return_dict=True)["batch_macro_f1"]
    scores = model.predict(inputs, verbose=0)
    expected = np.mean([_soft_macro_f1(labels[i : i + 4], scores[i : i + 4]) for i in (0, 4, 8)])
    assert logged == pytest.approx(expected, abs=1e-6)


def test_unknown_label_and_weights():
    rng = np.random.default_rng(2)
    labels, scores = rng.integers(0, 2, (6, 3)), rng.random((6, 3)).astype("float32")
    masked = np.vstack([labels, np.full((2, 3), -1)])
    metric = BatchMacroF1()
    metric.update_state(masked, np.vstack([scores, scores[:2]]), np.ones(8))
    assert float(metric.result()) == pytest.approx(_soft_macro_f1(labels, scores), abs=1e-6)
    doubled = BatchMacroF1()
    doubled.update_state(labels, scores, [2, 1, 1, 1, 1, 1])
    expected = _soft_macro_f1(np.vstack([labels, labels[:1]]), np.vstack([scores, scores[:1]]))
    assert float(doubled.result()) == pytest.approx(expected, abs=1e-6)


def test_arguments():
    check_registration(BatchMacroF1)
    check_constructor_arguments(BatchMacroF1, {"name": "f1", "dtype": "float16"})


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("batch_size", "expected"), [pytest.param(8, 0.283, marks=pytest.mark.slow), (32, 0.560), (256, 0.838)]
)
def test_perfect_predictor_of_the_real_labels_scores_what_the_report_would_have_logged(real_data, batch_size, expected):
    with open(real_data / "labels" / "train.csv") as file:
        labels = parse_labels([row["Target"] for row in csv.DictReader(file)], 28).astype("float32")
    model = keras.Sequential([keras.Input((28,)), keras.layers.Identity()])
    model.compile(loss="mse", metrics=[BatchMacroF1()])
    logged = model.evaluate(labels, labels, batch_size=batch_size, verbose=0, return_dict=True)
    assert logged["batch_macro_f1"] == pytest.approx(expected, abs=1e-3)


def _soft_macro_f1(labels, scores):
    true_positives = (labels * scores).sum(axis=0)
    return np.mean(2 * true_positives / (labels.sum(axis=0) + scores.sum(axis=0)))
