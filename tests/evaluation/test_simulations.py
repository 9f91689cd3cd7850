"""Small versions of `make bench-evaluation`, with fixed seeds."""

import calibration
import evaluation as benchmark
import numpy as np
import pytest
from simulated_classes import SimulatedClasses

from keras_hpa.thresholds import Precision, Recall


@pytest.mark.parametrize("name", benchmark.SETTINGS)
def test_intervals_cover(name):
    found = benchmark.coverage(benchmark.SETTINGS[name], 30)
    for (metric, support), (share, _, count) in found.items():
        error = (0.05 * 0.95 / count) ** 0.5
        assert share > 0.93 - 3 * error, (metric, support)
        if metric in ("precision", "recall"):
            assert count > 5
    assert ("average_precision", "1 to 4") not in found


@pytest.mark.parametrize("group_size", [1, 5])
@pytest.mark.parametrize("metric", ["macro_f1", "macro_average_precision"])
def test_models_that_are_equally_good_are_not_told_apart(metric, group_size):
    classes = SimulatedClasses(np.array([0.3, 0.1, 0.05]), np.full(3, 2.0), group_size=group_size)
    assert benchmark.null(classes, 60, metric=metric, num_samples=300) <= 0.13  # .06 and 2.3 standard errors


@pytest.mark.parametrize("rule", [Precision(at_least=0.9), Recall(at_least=0.9)], ids=["precision", "recall"])
@pytest.mark.parametrize(("group_size", "alike"), [(1, 0.0), (5, 0.2), (5, 0.8)])
def test_promises_hold(rule, group_size, alike):
    prevalence, skill = np.array([0.1, 0.2, 0.4, 0.4]), np.array([4.0, 3.0, 3.0, 4.0])
    classes = SimulatedClasses(prevalence, skill, group_size=group_size, alike=alike)
    made, broken, share = benchmark.promises(rule, classes, 30)
    assert made > 0.3
    assert broken < 0.06 + 0.05  # of some 40 to 120 promises that come in fours
    if isinstance(rule, Precision):
        assert share > 0.85


def test_calibrated_probabilities_hold_on_new_data():
    """Beside scikit-learn's, with few rows; `make bench-evaluation` says how much better."""
    values = {name: one.mean(axis=0) for name, one in calibration.simulated(2, sizes=(150,)).items()}
    for name, of_theirs in values.items():
        if name.startswith("scikit-learn"):
            assert (values["auto"] <= of_theirs + 0.0005).all(), name
    assert (values["auto"] <= values["temperature"]).all()
    assert (values["auto"] < 0.6 * values["scores as they are"]).all()


def test_shifts_of_prevalence_are_followed_from_scores_alone():
    names = ("frequent classes x 2", "frequent classes / 2")
    found = np.array([*benchmark.shifts(3, 2000, 2000, names).values()])
    labelled, estimated, known, told, held = found.mean(axis=0)
    assert estimated - labelled > 0.4 * (known - labelled) > 0
    assert told > 0.5
    assert held > 0.9
