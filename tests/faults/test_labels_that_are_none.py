"""Labels that are none: refused, or left out by what knows that -1 is unknown."""

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa import ArraySource, MultiChannelSequence, RareLabels, Samples, stratified_folds, stratified_split

_IMAGES = np.random.default_rng(0).uniform(size=(6, 4, 4, 2)).astype("float32")
_LABELS = np.random.default_rng(1).integers(0, 2, (6, 3))
_UNKNOWN = _LABELS.copy()
_UNKNOWN[2:4, 1] = -1


def _with(value, dtype="float64"):
    labels = _LABELS.astype(dtype)
    labels[3, 1] = value
    return labels


_WRONG = {
    "2": _with(2),
    "255": _with(255, "uint8"),
    "65535": _with(65535, "uint16"),
    "1.5": _with(1.5),
    "-0.5": _with(-0.5),
    "-2": _with(-2, "int8"),
    "infinity": _with(np.inf),
    "-infinity": _with(-np.inf, "float16"),
    "NaN": _with(np.nan, "float32"),
    "masked": np.ma.masked_array(_LABELS, mask=_LABELS == 1),
    "text": _LABELS.astype(str),
    "complex": _LABELS * 1j,
    "missing": np.where(_LABELS == 1, None, 0),
    "a row short": _LABELS[1:],
}
_wrong = pytest.mark.parametrize("labels", _WRONG.values(), ids=_WRONG.keys())

_TAKERS = {
    "sequence": lambda labels: MultiChannelSequence(ArraySource(_IMAGES), labels),
    "samples": lambda labels: Samples(ArraySource(_IMAGES), labels),
    "split": lambda labels: stratified_split(labels[: len(_IMAGES)], groups=list("aabbcc")),
    "folds": lambda labels: stratified_folds(labels, 2, groups=list("aabbcc")),
    "calibrator": lambda labels: keras_hpa.ThresholdCalibrator().fit(np.full((6, 3), 0.5), labels),
    "cross_fit": lambda labels: keras_hpa.cross_fit("max_f1", np.full((6, 3), 0.5), labels),
}


@_wrong
@pytest.mark.parametrize("take", _TAKERS.values(), ids=_TAKERS.keys())
def test_what_is_no_label_is_refused(take, labels):
    if take in (_TAKERS["calibrator"], _TAKERS["cross_fit"]) and np.ma.is_masked(labels):
        pytest.skip("a calibrator takes what is masked for unknown")
    with pytest.raises((ValueError, TypeError), match=r"`(labels|y_true|groups)` must .*Received: "):
        take(labels)


@pytest.mark.parametrize("labels", [_LABELS, _UNKNOWN, _LABELS * 0.9, _LABELS == 1, np.arange(6) * 50, -_LABELS[:, 0]])
def test_what_is_a_label_is_taken(labels):
    (_, given) = MultiChannelSequence(ArraySource(_IMAGES), labels)[0]
    np.testing.assert_allclose(given, labels, rtol=1e-6)


def test_masked_labels_are_not_known_to_a_sampler():
    labels = np.ma.masked_array([[1, 0], [1, 0], [0, 1], [0, 1]], mask=[[0, 0], [0, 0], [0, 1], [0, 0]])
    np.testing.assert_allclose(RareLabels(labels).expected, RareLabels(labels.filled(-1)).expected)


def _compiled(loss, **options):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="sigmoid")]
    model = keras.Sequential([keras.Input((4, 4, 2)), *layers])
    model.compile("sgd", loss, **options)
    return model


_COUNTING = [
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "mse",
    keras.losses.binary_crossentropy,
    keras.losses.BinaryCrossentropy(label_smoothing=0.1),
    keras_hpa.WeightedSumLoss([keras_hpa.MacroF1Loss(), keras.losses.BinaryCrossentropy()]),
]


@pytest.mark.parametrize(
    "loss", _COUNTING, ids=lambda loss: loss if isinstance(loss, str) else getattr(loss, "name", "function")
)
def test_a_loss_that_counts_unknown_labels_is_refused(loss):
    sequence, model = MultiChannelSequence(Samples(ArraySource(_IMAGES), _UNKNOWN), batch_size=4), _compiled(loss)
    for call in (model.fit, model.evaluate):
        with pytest.raises(ValueError, match=r"`loss` must leave out .* -1, .*BinaryCrossentropy\(\)\. Received"):
            call(sequence, verbose=0)


def test_a_loss_that_counts_unknown_labels_of_the_validation_is_refused():
    known, unknown = (MultiChannelSequence(ArraySource(_IMAGES), labels) for labels in (_LABELS, _UNKNOWN))
    with pytest.raises(ValueError, match="`loss` must leave out"):
        _compiled("binary_crossentropy").fit(known, validation_data=unknown, verbose=0)


class _Own(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred) * keras.ops.cast(y_true >= 0, y_pred.dtype), axis=-1)


@pytest.mark.parametrize(
    "loss",
    [keras_hpa.BinaryCrossentropy(), keras_hpa.AsymmetricLoss(), keras_hpa.MacroF1Loss(), _Own(), "hinge"],
    ids=lambda loss: getattr(loss, "name", loss),
)
def test_a_loss_that_knows_unknown_labels_is_taken(loss):
    sequence = MultiChannelSequence(ArraySource(_IMAGES), _UNKNOWN, batch_size=4)
    assert np.isfinite(_compiled(loss).fit(sequence, verbose=0).history["loss"][0])


def test_known_labels_go_with_any_loss_and_unknown_ones_with_predict():
    model = _compiled("binary_crossentropy")
    model.fit(MultiChannelSequence(ArraySource(_IMAGES), _LABELS), verbose=0)
    assert model.predict(MultiChannelSequence(ArraySource(_IMAGES), _UNKNOWN), verbose=0).shape == (6, 3)


def test_the_masked_cross_entropy_is_that_of_the_known_labels():
    scores, known = np.random.default_rng(2).uniform(0.1, 0.9, _UNKNOWN.shape), _UNKNOWN >= 0
    expected = -np.where(_UNKNOWN == 1, np.log(scores), np.log(1 - scores))[known].mean()
    assert float(keras_hpa.BinaryCrossentropy()(_UNKNOWN, scores)) == pytest.approx(expected, rel=1e-5)
