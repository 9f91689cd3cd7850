"""What every loss of ours does with unknown labels, weights, smoothing, and inside `fit`."""

import keras
import numpy as np
import pytest

from keras_hpa import (
    AsymmetricLoss,
    ClassBalancedCrossentropy,
    ClassBalancedFocalCrossentropy,
    MacroF1Loss,
    SymmetricLovaszHinge,
    WeightedSumLoss,
)
from tests.losses.gradients import check_gradient

_COUNTS = [1000, 30, 0]
_PER_LABEL = {
    "crossentropy": lambda **options: ClassBalancedCrossentropy(_COUNTS, **options),
    "focal": lambda **options: ClassBalancedFocalCrossentropy(_COUNTS, **options),
    "asymmetric": AsymmetricLoss,
}
_ALL = _PER_LABEL | {
    "macro_f1": MacroF1Loss,
    "report": lambda **options: MacroF1Loss("report", **options),
    "lovasz": SymmetricLovaszHinge,
    "sum": lambda **options: WeightedSumLoss([AsymmetricLoss(**options), MacroF1Loss(**options)], [2.0, 0.5]),
}
_every_loss = pytest.mark.parametrize("make", _ALL.values(), ids=_ALL)


@_every_loss
def test_unknown_samples_count_for_nothing(make):
    labels, scores = _batch()
    more_labels = np.vstack([labels, np.full((4, 3), -1.0)])
    more_scores = np.vstack([scores, np.random.default_rng(1).random((4, 3))])
    assert float(make()(more_labels, more_scores)) == pytest.approx(float(make()(labels, scores)), abs=1e-6)
    gradient = check_gradient(make(), None, more_labels, more_scores)
    assert not gradient[5:].any()
    assert gradient[:5].any(axis=1).all()
    assert float(make()(np.full((2, 3), -1.0), more_scores[:2])) == 0


@pytest.mark.parametrize("make", _PER_LABEL.values(), ids=_PER_LABEL)
def test_loss_per_label_is_the_mean_over_known_labels(make):
    labels, scores = _batch()
    alone = np.full((15, 5, 3), -1.0)
    for number, (row, column) in enumerate(np.ndindex(5, 3)):
        alone[number, row, column] = labels[row, column]
    each = [float(make()(one, scores)) for one in alone]
    assert float(make()(labels, scores)) == pytest.approx(np.mean(each), abs=1e-6)
    labels[1, 1] = labels[4, 2] = -1
    assert float(make()(labels, scores)) == pytest.approx(np.mean(np.delete(each, [4, 14])), abs=1e-6)


@pytest.mark.parametrize("name", [name for name in _ALL if name != "sum"])
def test_weight_zero_takes_a_label_out_and_two_takes_a_sample_twice(name):
    """Up to a factor: what is masked shortens the mean, what has no weight does not."""
    loss = _ALL[name]()
    labels, scores = _batch()
    weights, masked = np.ones((5, 3)), labels.copy()
    weights[3, 0], masked[3, 0] = 0, -1
    _assert_same_direction(
        check_gradient(loss, None, labels, scores, weights), check_gradient(loss, None, masked, scores)
    )

    doubled = check_gradient(loss, None, labels, scores, np.array([1.0, 1, 2, 1, 1]))
    twice = check_gradient(loss, None, np.vstack([labels, labels[2:3]]), np.vstack([scores, scores[2:3]]))
    twice[2] += twice[5]
    _assert_same_direction(doubled, twice[:5])


@_every_loss
def test_logits_and_probabilities_agree(make):
    labels, scores = _batch()
    from_logits = make(from_logits=True)(labels, np.log(scores / (1 - scores)))
    assert float(from_logits) == pytest.approx(float(make()(labels, scores)), abs=1e-5)


@_every_loss
@pytest.mark.parametrize("from_logits", [False, True])
def test_extreme_scores_and_absent_classes_have_finite_gradients(make, from_logits):
    labels = np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0], [0, 0, 0]])
    scores = np.array([[1.0, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 0.5]])
    if from_logits:
        scores = (scores - 0.5) * 400
    check_gradient(make(from_logits=from_logits), None, labels, scores)


@_every_loss
def test_gradient_descent_finds_the_labels(make):
    labels, _ = _batch()
    logits = np.zeros((5, 3))
    for _ in range(12):
        logits -= 20.0 * check_gradient(make(from_logits=True), None, labels, logits)
    if isinstance(make(), MacroF1Loss) and make().variant == "report":
        labels, logits = labels[:, :2], logits[:, :2]  # its gradient is 0 where a class is absent
    np.testing.assert_array_equal(logits > 0, labels > 0)


@_every_loss
def test_fit_with_weights_saves_and_loads(make, tmp_path):
    rng = np.random.default_rng(2)
    inputs, labels = rng.normal(size=(3, 2)).astype("float32"), rng.integers(-1, 2, (3, 3))
    weights = np.array([1.0, 0, 3])
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    model.compile("sgd", make(from_logits=True), jit_compile=False)
    expected = float(make(from_logits=True)(labels, model.predict(inputs, verbose=0), weights))
    history = model.fit(inputs, labels, sample_weight=weights, batch_size=3, verbose=0).history
    assert history["loss"][0] == pytest.approx(expected, abs=1e-5)

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(inputs, labels, verbose=0) == pytest.approx(model.evaluate(inputs, labels, verbose=0))


@pytest.mark.slow
@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras compiles with XLA on TensorFlow and JAX alone")
@_every_loss
def test_compiled_training_is_that_of_eager_training(make):
    rng = np.random.default_rng(3)
    inputs, labels = rng.normal(size=(6, 2)).astype("float32"), rng.integers(-1, 2, (6, 3))
    losses = []
    for jit_compile in (False, True):
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
        model.compile(keras.optimizers.SGD(0.5), make(from_logits=True), jit_compile=jit_compile)
        losses.append(model.fit(inputs, labels, batch_size=3, epochs=2, shuffle=False, verbose=0).history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], atol=1e-5)


@pytest.mark.parametrize("make", _PER_LABEL.values(), ids=_PER_LABEL)
def test_smoothing_is_the_mixture_of_both_labels(make):
    labels, scores = _batch()
    mixture = 0.9 * float(make()(labels, scores)) + 0.1 * float(make()(1 - labels, scores))
    assert float(make(label_smoothing=0.2)(labels, scores)) == pytest.approx(mixture, abs=1e-6)


@_every_loss
def test_wrong_shape_is_named(make):
    loss = make()
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(2, 4\)"):
        loss(np.zeros((2, 3)), np.zeros((2, 4)))
    with pytest.raises(ValueError, match=r"sample_weight.*\(3,\)"):
        loss(np.zeros((2, 3)), np.zeros((2, 3)), np.ones(3))


def _assert_same_direction(gradient, other):
    np.testing.assert_allclose(gradient / np.linalg.norm(gradient), other / np.linalg.norm(other), atol=1e-5)


def _batch():
    """Five samples of three classes, of which the last is absent."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (5, 3)).astype("float64")
    labels[:, 2] = 0
    return labels, rng.uniform(0.1, 0.9, (5, 3))
