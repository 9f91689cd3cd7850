import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_hpa import MacroF1Loss
from tests.helpers import check_constructor_arguments, check_registration
from tests.losses.gradients import check_gradient


def test_smooth_is_the_formula():
    labels, scores = _batch()
    true_positives = (labels * scores).sum(axis=0)
    expected = 1 - np.mean((2 * true_positives + 1) / (labels.sum(axis=0) + scores.sum(axis=0) + 1))
    assert float(MacroF1Loss()(labels, scores)) == pytest.approx(expected, abs=1e-6)


def test_report_is_the_loss_of_the_second_stage():
    labels, scores = _batch()
    true_positives = (labels * scores).sum(axis=0)
    precision = true_positives / (true_positives + ((1 - labels) * scores).sum(axis=0) + 1e-7)
    recall = true_positives / (true_positives + (labels * (1 - scores)).sum(axis=0) + 1e-7)
    f1 = 2 * precision * recall / (precision + recall + 1e-7)
    assert f1[2] == 0
    assert float(MacroF1Loss("report")(labels, scores)) == pytest.approx(1 - f1.mean(), abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([(1, 1), (2, 5), (6, 3)]), st.integers(0, 1000))
def test_smooth_is_zero_for_a_perfect_batch_and_at_most_one(shape, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 2, shape).astype("float32")
    scores = rng.random(shape)
    assert float(MacroF1Loss()(labels, np.where(labels < 0, scores, labels))) == pytest.approx(0, abs=1e-6)
    assert 0 <= float(MacroF1Loss()(labels, scores)) < 1


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_smooth_gradient(from_logits, label_smoothing):
    labels, scores = _batch()
    labels[0] = -1
    weights = np.array([1.0, 2, 0.5, 1, 0])
    inputs = np.log(scores / (1 - scores)) if from_logits else scores
    loss = MacroF1Loss(from_logits=from_logits, label_smoothing=label_smoothing)

    def reference(inputs):
        p = 1 / (1 + np.exp(-inputs)) if from_logits else inputs
        w = weights[:, None] * (labels >= 0)
        y = np.maximum(labels, 0) * (1 - label_smoothing) + label_smoothing / 2
        return 1 - np.mean((2 * (w * y * p).sum(axis=0) + 1) / ((w * (y + p)).sum(axis=0) + 1))

    check_gradient(loss, reference, labels, inputs, weights)


def test_absent_class_is_pushed_down_by_the_smooth_loss_alone():
    labels, scores = _batch()
    smooth = check_gradient(MacroF1Loss(), None, labels, scores)
    assert (smooth[:, 2] > 1e-3).all()
    report = check_gradient(MacroF1Loss("report"), None, labels, scores)
    assert np.abs(report[:, 2]).max() < 1e-6


@pytest.mark.parametrize("variant", ["smooth", "report"])
def test_unknown_label_and_class_count_for_nothing(variant):
    labels, scores = _batch()
    loss = MacroF1Loss(variant)
    expected = float(loss(labels, scores))
    more_labels = np.full((7, 4), -1.0)
    more_scores = np.random.default_rng(1).random((7, 4))
    more_labels[:5, :3], more_scores[:5, :3] = labels, scores
    assert float(loss(more_labels, more_scores)) == pytest.approx(expected, abs=1e-6)
    assert float(loss(np.full((2, 3), -1.0), np.ones((2, 3)))) == 0
    gradient = check_gradient(loss, None, more_labels, more_scores)
    assert not gradient[more_labels < 0].any()


def test_weight_two_is_a_sample_twice():
    labels, scores = _batch()
    twice = float(MacroF1Loss()(np.vstack([labels, labels[:1]]), np.vstack([scores, scores[:1]])))
    for weights in ([2, 1, 1, 1, 1], np.array([[2, 2, 2]] + [[1, 1, 1]] * 4)):
        assert float(MacroF1Loss()(labels, scores, sample_weight=weights)) == pytest.approx(twice, abs=1e-6)


def test_fit_carries_sample_weights_though_the_batch_is_as_large_as_the_number_of_classes():
    rng = np.random.default_rng(2)
    inputs, labels, weights = rng.normal(size=(3, 2)), rng.integers(0, 2, (3, 3)), np.array([1.0, 0, 3])
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", MacroF1Loss())
    scores = model.predict(inputs, verbose=0)
    expected = float(MacroF1Loss()(labels, scores, weights))
    history = model.fit(inputs, labels, sample_weight=weights, batch_size=3, verbose=0).history
    assert history["loss"][0] == pytest.approx(expected, abs=1e-6)


def test_model_with_the_loss_is_saved_and_loaded(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", MacroF1Loss("report", from_logits=True))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.loss.variant == "report"
    assert loaded.loss.from_logits


def test_arguments():
    check_registration(MacroF1Loss)
    arguments = {"variant": "report", "from_logits": True, "label_smoothing": 0.1, "name": "f1", "dtype": "float16"}
    check_constructor_arguments(MacroF1Loss, arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"variant": "soft"}, "variant.*'soft'"), ({"label_smoothing": 1.0}, "label_smoothing.*1.0")],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        MacroF1Loss(**arguments)


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        MacroF1Loss()(np.zeros((2, 3)), np.zeros((2, 4)))


def _batch():
    """Five samples of three classes, of which the last is absent."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (5, 3)).astype("float64")
    labels[:, 2] = 0
    return labels, rng.uniform(0.05, 0.95, (5, 3))
