import keras
import numpy as np
import pytest
from keras import ops

from keras_hpa import ThresholdCalibrator, ThresholdLayer
from keras_hpa.thresholds.apply_thresholds import apply_thresholds
from tests import helpers
from tests.thresholds.exported import RUNTIMES


def _fitted(at_least_one=False, from_logits=False, seed=0):
    rng = np.random.default_rng(seed)
    labels = (rng.uniform(size=(300, 6)) < 0.2).astype(np.int8)
    labels[:, 4] = 0
    scores = (rng.normal(size=labels.shape) + 2 * labels - 2).astype(np.float32)
    if not from_logits:
        scores = 1 / (1 + np.exp(-scores))
    calibrator = ThresholdCalibrator("max_f1", at_least_one=at_least_one, from_logits=from_logits)
    return calibrator.fit(scores, labels)


def _scores_at_thresholds(calibrator, seed=1):
    """Scores that lie on, just below and around the thresholds, where rounding decides."""
    rng = np.random.default_rng(seed)
    thresholds = np.where(np.isfinite(calibrator.thresholds_), calibrator.thresholds_, 0.5).astype(np.float32)
    on = np.tile(thresholds, (500, 1))
    low = np.nextafter(on, np.float32(-np.inf))
    around = (on * rng.uniform(0.6, 1.1, on.shape)).astype(np.float32)
    scores = np.choose(rng.integers(0, 4, on.shape), [on, low, around, around / 2]).astype(np.float32)
    return scores if calibrator.from_logits else scores.clip(0, 1)


@pytest.mark.parametrize("at_least_one", [False, True])
@pytest.mark.parametrize("from_logits", [False, True])
def test_saved_model_gives_the_labels_of_the_calibrator(at_least_one, from_logits, tmp_path):
    calibrator = _fitted(at_least_one, from_logits)
    scores = _scores_at_thresholds(calibrator)
    model = keras.Sequential([keras.Input((6,)), calibrator.as_layer(name="labels")])
    model.save(tmp_path / "model.keras")
    labels = keras.saving.load_model(tmp_path / "model.keras").predict(scores, verbose=0)
    np.testing.assert_array_equal(labels, calibrator.predict(scores))
    assert labels.dtype == np.uint8


@pytest.mark.slow
def test_layer_loads_in_a_fresh_process(tmp_path):
    calibrator = _fitted(at_least_one=True)
    model = keras.Sequential([keras.Input((6,)), calibrator.as_layer()])
    helpers.check_loads_in_fresh_process(model, _scores_at_thresholds(calibrator), tmp_path, atol=0)


def test_layer_keeps_every_argument():
    helpers.check_registration(ThresholdLayer)
    layer = ThresholdLayer([0.1, None, np.inf], at_least_one=True, from_logits=True)
    restored = ThresholdLayer.from_config(layer.get_config())
    assert restored.thresholds == [0.1, None, None]
    assert restored.at_least_one
    assert restored.from_logits


def test_layer_infers_its_shape_and_type():
    layer = ThresholdLayer([0.1, 0.2])
    symbolic = layer(keras.Input((5, 2)))
    assert symbolic.shape == (None, 5, 2)
    assert keras.backend.standardize_dtype(symbolic.dtype) == "uint8"
    assert layer.compute_output_shape((None, 5, 2)) == (None, 5, 2)


def test_half_precision_scores_are_compared_like_the_calibrator_does():
    calibrator = _fitted()
    scores = _scores_at_thresholds(calibrator).astype(np.float16)
    labels = ThresholdLayer(calibrator.thresholds_.tolist(), dtype="mixed_float16")(ops.convert_to_tensor(scores))
    np.testing.assert_array_equal(ops.convert_to_numpy(labels), calibrator.predict(scores))


@pytest.mark.parametrize("thresholds", [[], [[0.1]], ["high"], [np.nan], 0.5])
def test_wrong_thresholds_are_named(thresholds):
    with pytest.raises(ValueError, match="thresholds"):
        ThresholdLayer(thresholds)


def test_wrong_number_of_classes_is_named():
    with pytest.raises(ValueError, match=r"length 2.*\(3, 4\)"):
        ThresholdLayer([0.1, 0.2])(np.zeros((3, 4), "float32"))


def test_absent_class_whose_scores_are_all_0_is_never_predicted():
    """Just above 0 lies no normal number, and TensorFlow takes what is smaller for 0."""
    scores = np.zeros((5, 2), np.float32)
    scores[:, 1] = [0.1, 0.2, 0.3, 0.4, 0.5]
    calibrator = ThresholdCalibrator().fit(scores, [[0, 0], [0, 0], [0, 0], [0, 1], [0, 1]])
    judged = np.vstack([scores, np.float32([[1e-40, 0], [2e-38, 0]])])
    model = keras.Sequential([keras.Input((2,)), calibrator.as_layer()])
    labels = model.predict(judged, verbose=0)
    np.testing.assert_array_equal(labels, calibrator.predict(judged))
    np.testing.assert_array_equal(labels[:, 0], [0, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize("threshold", [0.0, 1e-40, -1e-40, 5e-324, -5e-324])
def test_numbers_too_small_for_float32_are_0_everywhere(threshold):
    scores = np.float32([[0.0], [1e-40], [-1e-40], [2e-38], [-2e-38]])
    labels = ops.convert_to_numpy(ThresholdLayer([threshold], from_logits=True)(scores))
    np.testing.assert_array_equal(labels, apply_thresholds(scores, np.array([threshold])))


@pytest.mark.parametrize("from_logits", [False, True])
def test_of_equally_near_classes_the_first_is_taken(from_logits):
    thresholds, scores = np.array([0.5, 0.5, np.inf, 0.5]), np.float32([[0.1, 0.3, 0.4, 0.3], [0.2, 0.2, 0.2, 0.2]])
    layer = ThresholdLayer(thresholds.tolist(), at_least_one=True, from_logits=from_logits)
    expected = [[0, 1, 0, 0], [1, 0, 0, 0]]
    np.testing.assert_array_equal(ops.convert_to_numpy(layer(scores)), expected)
    found = apply_thresholds(scores, thresholds, at_least_one=True, from_logits=from_logits)
    np.testing.assert_array_equal(found, expected)


@RUNTIMES
@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.filterwarnings("ignore")  # the exporters' own
def test_an_exported_layer_gives_the_labels_of_the_calibrator(run, from_logits, tmp_path):
    calibrator = _fitted(True, from_logits)
    scores = _scores_at_thresholds(calibrator)
    model = keras.Sequential([keras.Input((6,)), calibrator.as_layer()])
    np.testing.assert_array_equal(run(model, scores, tmp_path), calibrator.predict(scores))
