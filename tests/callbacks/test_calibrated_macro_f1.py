import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from keras_hpa import CalibratedMacroF1, ReduceLR, ThresholdCalibrator, stratified_split


class _Batches(keras.utils.PyDataset):
    def __init__(self, inputs, labels, batch_size):
        super().__init__()
        self.inputs, self.labels, self.batch_size = inputs, labels, batch_size

    def __len__(self):
        return -(-len(self.inputs) // self.batch_size)

    def __getitem__(self, index):
        rows = slice(index * self.batch_size, (index + 1) * self.batch_size)
        return self.inputs[rows], self.labels[rows]


def _lists(inputs, labels, batch_size):
    batches = _Batches(inputs, labels, batch_size)
    return [batches[index] for index in range(len(batches))]


@pytest.mark.parametrize("method", ["max_f1", "prevalence"])
@pytest.mark.parametrize("kind", ["arrays", "sequence", "list"])
def test_logs_what_cross_fitted_thresholds_score_after_the_epoch(method, kind):
    inputs, labels = _data()
    validation = {"arrays": lambda *data: data[:2], "sequence": _Batches, "list": _lists}[kind](inputs, labels, 7)
    model = _model()
    callback = CalibratedMacroF1(validation, calibrator=ThresholdCalibrator(method), seed=3)
    weights = []
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    logged = model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[callback, keep]).history[
        "val_calibrated_macro_f1"
    ]
    for value, after in zip(logged, weights, strict=True):
        model.set_weights(after)
        expected = _cross_fitted(model.predict(inputs, verbose=0), labels, ThresholdCalibrator(method), seed=3)
        assert value == pytest.approx(expected, abs=1e-6)
    assert logged[0] != logged[1]


def test_logits_and_unknown_labels():
    inputs, labels = _data()
    labels[::5, 0] = -1
    model = _model(activation=None)
    calibrator = ThresholdCalibrator("max_f1", from_logits=True)
    callback = CalibratedMacroF1((inputs, labels), calibrator=calibrator, name="val_f1")
    logged = model.fit(inputs, labels, verbose=0, callbacks=[callback]).history["val_f1"][0]
    assert logged == pytest.approx(_cross_fitted(model.predict(inputs, verbose=0), labels, calibrator), abs=1e-6)
    assert not hasattr(calibrator, "thresholds_")


def test_class_found_in_one_half_alone_is_missed():
    inputs, labels = _data()
    labels[:, 2] = 0
    labels[0, 2] = 1
    callback = CalibratedMacroF1((inputs, labels), calibrator=ThresholdCalibrator("max_f1"))
    callback.set_model(_Perfect(labels))
    logs = {}
    callback.on_epoch_end(0, logs)
    assert logs == {"val_calibrated_macro_f1": pytest.approx(2 / 3)}


@pytest.mark.parametrize(("zero_division", "expected"), [(0, 2 / 3), (float("nan"), 1.0)])
def test_absent_class_is_scored_as_asked(zero_division, expected):
    inputs, labels = _data()
    labels[:, 2] = 0
    callback = CalibratedMacroF1((inputs, labels), zero_division=zero_division)
    callback.set_model(_Perfect(labels))
    logs = {}
    callback.on_epoch_end(0, logs)
    assert logs["val_calibrated_macro_f1"] == pytest.approx(expected)


def test_callbacks_behind_it_follow_it(tmp_path):
    inputs, labels = _data()
    path = tmp_path / "best.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(path, "val_calibrated_macro_f1", mode="max", save_best_only=True)
    reduce_lr = ReduceLR("macro_f1", monitor="val_calibrated_macro_f1", patience=1)
    callbacks = [CalibratedMacroF1((inputs, labels)), checkpoint, reduce_lr]
    model = _model()
    logged = model.fit(inputs, labels, epochs=3, verbose=0, callbacks=callbacks).history["val_calibrated_macro_f1"]
    assert checkpoint.best == reduce_lr.best == max(logged)
    scores = keras.saving.load_model(path).predict(inputs, verbose=0)
    assert _cross_fitted(scores, labels, ThresholdCalibrator()) == pytest.approx(max(logged), abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"validation": (1, 2, 3)}, TypeError, "validation.*tuple"),
        ({"validation": iter([])}, TypeError, "validation.*iterator"),
        ({"validation": 3}, TypeError, "validation.*int"),
        ({"validation": np.arange(3)}, TypeError, "validation.*ndarray"),  # indices of samples
        ({"validation": [], "calibrator": "auto"}, TypeError, "calibrator.*'auto'"),
        ({"validation": [], "batch_size": 0}, ValueError, "batch_size.*0"),
        ({"validation": [], "zero_division": 2}, ValueError, "zero_division.*2"),
    ],
)
def test_wrong_argument_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        CalibratedMacroF1(**arguments)


class _Perfect(keras.Model):
    def __init__(self, labels):
        super().__init__()
        self.labels, self.row = labels.astype("float32"), 0

    def predict_on_batch(self, inputs):
        start, self.row = self.row, self.row + len(inputs)
        return self.labels[start : self.row]


def _data():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(60, 5)).astype("float32")
    return inputs, (inputs[:, :3] + rng.normal(size=(60, 3)) > 0.5).astype("int8")


def _model(activation="sigmoid"):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation=activation)])
    model.compile(keras.optimizers.SGD(1.0), keras.losses.BinaryCrossentropy(from_logits=activation is None))
    return model


def _cross_fitted(scores, labels, calibrator, seed=0):
    predicted = np.empty_like(labels)
    one, other = stratified_split(labels, 0.5, seed=seed)
    for here, there in ((one, other), (other, one)):
        fitted = ThresholdCalibrator(**calibrator.get_params()).fit(scores[here], labels[here])
        predicted[there] = fitted.predict(scores[there])
    columns = [labels[:, c] >= 0 for c in range(labels.shape[1])]
    return np.mean([f1_score(labels[known, c], predicted[known, c]) for c, known in enumerate(columns)])
