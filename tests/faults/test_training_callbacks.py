"""ReduceLR and TrainingBackup under whatever `compile` and `fit` of Keras may log, and the curves of it."""

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa import MacroF1, ReduceLR, TrainingBackup, plots

_INPUTS = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
_LABELS = np.random.default_rng(1).integers(0, 2, (8, 3))


class _PerClass(keras.metrics.MeanMetricWrapper):
    """A metric with one value per class."""

    def __init__(self, name="per_class"):
        super().__init__(keras.losses.mean_squared_error, name=name)

    def result(self):
        return keras.ops.stack([super().result()] * 3)


def _fit(*callbacks, metrics=("binary_accuracy",), optimizer="sgd", epochs=4, **arguments):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile(optimizer, "binary_crossentropy", metrics=list(metrics))
    fit = {"validation_data": (_INPUTS, _LABELS), "epochs": epochs, "verbose": 0, "callbacks": list(callbacks)}
    return model.fit(_INPUTS, _LABELS, **(fit | arguments))


@pytest.mark.parametrize("preset", ["report", "macro_f1"])
@pytest.mark.parametrize("validation_freq", [2, 3, [2], [1, 4]])
def test_reduce_lr_waits_for_the_epochs_that_are_validated(preset, validation_freq):
    history = _fit(ReduceLR(preset), metrics=[MacroF1()], validation_freq=validation_freq).history
    assert len(history["learning_rate"]) == 4


@pytest.mark.parametrize("monitor", ["loss", "val_loss", "val_macro_f1_1", "macro_f1_1", "val_binary_accuracy"])
def test_reduce_lr_knows_what_keras_logs(monitor):
    metrics = [MacroF1(name="macro_f1"), MacroF1(0.3, name="macro_f1"), "binary_accuracy"]
    assert monitor in _fit(ReduceLR(monitor=monitor, mode="min"), metrics=metrics, epochs=1).history


@pytest.mark.parametrize("monitor", ["val_macro_f2", "val_accuracy_x", "val_"])
def test_reduce_lr_still_refuses_what_nobody_logs(monitor):
    with pytest.raises(ValueError, match=r"`monitor` must name the loss or a compiled metric"):
        _fit(ReduceLR(monitor=monitor, mode="min"))


_SCHEDULES = [
    keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5),
    keras.optimizers.schedules.CosineDecay(0.1, 10),
    keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.1, 0.01]),
]


@pytest.mark.parametrize("schedule", _SCHEDULES, ids=lambda schedule: type(schedule).__name__)
def test_reduce_lr_refuses_a_schedule_before_the_first_batch(schedule):
    batches = []
    count = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: batches.append(batch))
    with pytest.raises(ValueError, match=f"must be a number.*Received: {type(schedule).__name__!r}"):
        _fit(count, ReduceLR(), optimizer=keras.optimizers.SGD(schedule))
    assert not batches


@pytest.mark.parametrize("metric", [_PerClass, lambda: keras.metrics.F1Score(average=None), MacroF1])
def test_a_backup_of_metrics_of_any_shape_goes_on(metric, tmp_path):
    _fit(TrainingBackup(tmp_path), metrics=[metric()], epochs=2)
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[metric()])
    backup = TrainingBackup(tmp_path)
    assert backup.restore(model) == 2
    model.fit(_INPUTS, _LABELS, epochs=3, initial_epoch=2, verbose=0, callbacks=[backup])
    assert all(len(values) == 3 for values in backup.history.values())
    assert (tmp_path / "history.csv").read_text().count("\n") >= 4


@pytest.mark.parametrize("logged", [np.float32(0.5), np.array([1.0, np.nan]), [1, 2], np.array(3), np.inf])
def test_a_backup_of_what_a_callback_logs(logged, tmp_path):
    log = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=logged))
    _fit(log, TrainingBackup(tmp_path), epochs=2)
    again = TrainingBackup(tmp_path)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    assert again.restore(model) == 2
    np.testing.assert_array_equal(again.history["mine"], [logged, logged])


@pytest.mark.parametrize("validation_freq", [1, 2, 3, [4], [1, 2, 4]])
@pytest.mark.parametrize("given", [False, True])
def test_curves_of_epochs_that_were_not_all_validated(validation_freq, given, tmp_path):
    backup = TrainingBackup(tmp_path)
    history = _fit(backup, validation_freq=validation_freq)
    for one in (history, history.history, backup.history):
        figure = plots.plot_learning_curves(one, validation_freq=validation_freq if given else None)
        training, validation = figure.axes[0].lines[:2]
        assert len(training.get_xdata()) == 4
        is_list = isinstance(validation_freq, list)
        expected = validation_freq if is_list else range(validation_freq, 5, validation_freq)
        # One value of four epochs may be of the third or the fourth: only who knows can say.
        if one is backup.history or given or validation_freq in (1, 2):
            assert validation.get_xdata().tolist() == list(expected)


def test_curves_of_a_compile_with_metrics_of_several_values():
    history = _fit(metrics=[MacroF1(), keras_hpa.BatchMacroF1(), _PerClass()])
    figure = plots.plot_learning_curves(history)
    assert len(figure.axes) == 4
