import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from keras_hpa import (
    ArraySource,
    CrossFittedMacroF1,
    MultiChannelSequence,
    ReduceLR,
    ThresholdCalibrator,
    cross_fit,
    stratified_split,
)


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


@pytest.mark.parametrize("rule", ["max_f1", "prevalence"])
@pytest.mark.parametrize("kind", ["arrays", "sequence", "list"])
def test_logs_what_cross_fitted_thresholds_score_after_the_epoch(rule, kind):
    inputs, labels = _data()
    validation = {"arrays": lambda *data: data[:2], "sequence": _Batches, "list": _lists}[kind](inputs, labels, 7)
    model = _model()
    callback = CrossFittedMacroF1(validation, rule=rule, seed=3)
    weights = []
    keep = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: weights.append(model.get_weights()))
    logged = model.fit(inputs, labels, epochs=2, verbose=0, callbacks=[callback, keep]).history[
        "val_cross_fitted_macro_f1"
    ]
    for value, after in zip(logged, weights, strict=True):
        model.set_weights(after)
        expected = _cross_fitted(model.predict(inputs, verbose=0), labels, ThresholdCalibrator(rule), seed=3)
        assert value == pytest.approx(expected, abs=1e-6)
    assert logged[0] != logged[1]


def test_logits_and_unknown_labels():
    inputs, labels = _data()
    labels[::5, 0] = -1
    model = _model(activation=None)
    calibrator = ThresholdCalibrator("max_f1", from_logits=True)
    callback = CrossFittedMacroF1((inputs, labels), rule=calibrator, name="val_f1")
    logged = model.fit(inputs, labels, verbose=0, callbacks=[callback]).history["val_f1"][0]
    assert logged == pytest.approx(_cross_fitted(model.predict(inputs, verbose=0), labels, calibrator), abs=1e-6)
    assert not hasattr(calibrator, "thresholds_")


def test_class_found_in_one_half_alone_is_missed():
    inputs, labels = _data()
    labels[:, 2] = 0
    labels[0, 2] = 1
    callback = CrossFittedMacroF1((inputs, labels), rule="max_f1")
    callback.set_model(_Perfect(labels))
    logs = {}
    callback.on_epoch_end(0, logs)
    assert logs == {"val_cross_fitted_macro_f1": pytest.approx(2 / 3)}


@pytest.mark.parametrize(("zero_division", "expected"), [(0, 2 / 3), (float("nan"), 1.0)])
def test_absent_class_is_scored_as_asked(zero_division, expected):
    inputs, labels = _data()
    labels[:, 2] = 0
    callback = CrossFittedMacroF1((inputs, labels), zero_division=zero_division)
    callback.set_model(_Perfect(labels))
    logs = {}
    callback.on_epoch_end(0, logs)
    assert logs["val_cross_fitted_macro_f1"] == pytest.approx(expected)


def test_callbacks_behind_it_follow_it(tmp_path):
    inputs, labels = _data()
    path = tmp_path / "best.keras"
    checkpoint = keras.callbacks.ModelCheckpoint(path, "val_cross_fitted_macro_f1", mode="max", save_best_only=True)
    reduce_lr = ReduceLR("macro_f1", monitor="val_cross_fitted_macro_f1", patience=1)
    callbacks = [CrossFittedMacroF1((inputs, labels)), checkpoint, reduce_lr]
    model = _model()
    logged = model.fit(inputs, labels, epochs=3, verbose=0, callbacks=callbacks).history["val_cross_fitted_macro_f1"]
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
        ({"validation": [], "rule": 3}, TypeError, "rule.*3"),
        ({"validation": [], "rule": "best"}, ValueError, "rule.*'best'"),
        ({"validation": [], "batch_size": 0}, ValueError, "batch_size.*0"),
        ({"validation": [], "zero_division": 2}, ValueError, "zero_division.*2"),
    ],
)
def test_wrong_argument_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        CrossFittedMacroF1(**arguments)


def test_samples_of_one_group_stay_together():
    inputs, labels = _data()
    groups = np.arange(60) // 6
    logs = {}
    callback = CrossFittedMacroF1((inputs, labels), rule="max_f1", groups=groups)
    callback.set_model(model := _model())
    callback.on_epoch_end(0, logs)
    scores = model.predict(inputs, verbose=0)
    assert logs["val_cross_fitted_macro_f1"] == pytest.approx(cross_fit("max_f1", scores, labels, groups), abs=1e-6)


def test_rows_that_come_once_per_device_are_taken_once():
    inputs, labels = _data()
    callback = CrossFittedMacroF1((inputs, labels), rule="max_f1")
    model = _model()
    predict = model.predict_on_batch
    model.predict_on_batch = lambda batch: np.concatenate([np.asarray(predict(batch))] * 2)
    callback.set_model(model)
    logs = {}
    callback.on_epoch_end(0, logs)
    expected = cross_fit("max_f1", model.predict(inputs, verbose=0), labels)
    assert logs["val_cross_fitted_macro_f1"] == pytest.approx(expected, abs=1e-6)


def test_batches_may_be_those_that_are_validated_and_trained_on():
    inputs, labels = _data()
    logged = []
    for shared in (False, True):
        keras.utils.set_random_seed(0)
        trained, validated = _sequence(inputs, labels, shuffle=True), _sequence(inputs, labels)
        judged = (
            (validated, trained) if shared else (_sequence(inputs, labels), _sequence(inputs, labels, shuffle=True))
        )
        model = keras.Sequential([keras.Input((2, 1, 4)), keras.layers.Flatten(), *_model(inputs=8).layers])
        model.compile(keras.optimizers.SGD(1.0), "binary_crossentropy")
        callbacks = [CrossFittedMacroF1(each, name=f"val_{n}", rule="max_f1") for n, each in enumerate(judged)]
        history = model.fit(
            trained, validation_data=validated, epochs=3, shuffle=False, verbose=0, callbacks=callbacks
        ).history
        scores = model.predict(np.repeat(inputs[:, None, None, :4], 2, axis=1), verbose=0)
        expected = _cross_fitted(scores, labels, ThresholdCalibrator("max_f1"))
        assert history["val_0"][-1] == pytest.approx(expected, abs=1e-6)
        assert 0 < history["val_1"][-1] <= 1
        logged.append([history[name] for name in ("loss", "val_loss", "val_0")])
    np.testing.assert_allclose(logged[0], logged[1], atol=1e-5)


def _sequence(inputs, labels, shuffle=False):
    images = np.repeat(inputs[:, None, None, :4], 2, axis=1)
    source = ArraySource(images, channels=("a", "b", "c", "d"))
    return MultiChannelSequence(source, labels, batch_size=8, shuffle=shuffle, seed=1)


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


def _model(activation="sigmoid", inputs=5):
    model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(3, activation=activation)])
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
