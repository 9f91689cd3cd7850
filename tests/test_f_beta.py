import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import fbeta_score

from keras_hpa import MacroF1, ThresholdCalibrator, cross_fit
from keras_hpa.f_beta import check_zero_division, f_beta, f_beta_per_class, mean_f_beta
from keras_hpa.thresholds import Fixed


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0, 1, float("nan")]))
def test_equals_scikit_learn(seed, beta, zero_division):
    rng = np.random.default_rng(seed)
    labels, predicted = (rng.random((9, 4)) < rng.choice([0, 0.3, 1], 4) for _ in range(2))
    found = f_beta_per_class(labels, predicted, beta=beta, zero_division=zero_division)
    expected = fbeta_score(labels, predicted, beta=beta, average=None, zero_division=zero_division)
    np.testing.assert_allclose(found, expected)
    defined = found[~np.isnan(found)]
    np.testing.assert_equal(mean_f_beta(found), defined.mean() if len(defined) else np.nan)


def test_tensors_and_arrays_give_the_same():
    counts = np.array([[2.0, 0, 0, 1.5], [3.0, 1, 0, 2], [3.0, 0, 0, 2.5]])
    tensors = keras.ops.convert_to_tensor(counts)
    found = f_beta(tensors[0], tensors[1], tensors[2], beta=2, where=keras.ops.where)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), f_beta(*counts, beta=2), rtol=1e-6)


def test_unknown_labels_count_for_nothing():
    np.testing.assert_array_equal(f_beta_per_class([[1, -1], [-1, 0]], [[1, 1], [1, 1]]), [1, 0])


def test_nothing_hides_that_a_count_is_nan():
    np.testing.assert_array_equal(f_beta(np.array([np.nan]), np.array([np.nan]), 0.0, zero_division=0), [np.nan])


@pytest.mark.parametrize(
    ("predicts_absent", "expected"), [(0, {0: 0.75, 1: 1.0, "nan": 1.0}), (1, {0: 0.75, 1: 0.75, "nan": 0.75})]
)
@pytest.mark.parametrize("zero_division", [0, 1, "nan"])
def test_one_absent_class_gives_the_same_macro_f1_everywhere(predicts_absent, expected, zero_division):
    """Three classes are perfect, the fourth is absent and predicted never or once."""
    labels = np.tile(np.eye(4, dtype=int)[:, :3], (4, 1))
    labels = np.hstack([labels, np.zeros((len(labels), 1), int)])
    scores = labels.astype(float)
    scores[0, 3] = predicts_absent
    metric = MacroF1(zero_division=zero_division)
    metric.update_state(labels, scores)
    calibrator = ThresholdCalibrator(Fixed(0.5)).fit(scores, labels)
    found = {
        "metric": float(metric.result()),
        "score": calibrator.score(scores, labels, zero_division=float(zero_division)),
        "cross_fit": cross_fit(Fixed(0.5), scores, labels, zero_division=zero_division),
        "labels": mean_f_beta(f_beta_per_class(labels, scores >= 0.5, zero_division=float(zero_division))),
    }
    if zero_division == "nan":  # the default
        found["fitted"] = mean_f_beta(calibrator.f_beta_)
        found["report"] = mean_f_beta([row["f_beta"] for row in calibrator.report().rows])
    assert found == dict.fromkeys(found, pytest.approx(expected[zero_division]))


@pytest.mark.parametrize("zero_division", [0.5, "warn", None, "0"])
def test_wrong_zero_division_is_named(zero_division):
    with pytest.raises(ValueError, match=r"`zero_division` must be 0, 1 or NaN. Received"):
        check_zero_division(zero_division)
