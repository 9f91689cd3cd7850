import keras
import numpy as np
import pytest

from keras_hpa.callbacks import ReduceLR


class _Logs(keras.callbacks.Callback):
    """Puts prepared values into the logs, before the callback under test sees them."""

    def __init__(self, **values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.values.items()})


def _fit(callback, epochs=1, **values):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), loss="mse", metrics=[keras.metrics.MeanAbsoluteError(name="macro_f1")])
    data = np.zeros((2, 2)), np.zeros((2, 1))
    callbacks = [_Logs(**values), callback]
    history = model.fit(*data, validation_data=data, epochs=epochs, verbose=0, callbacks=callbacks)
    return history.history["learning_rate"], float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


@pytest.mark.parametrize(
    ("preset", "expected"),
    [
        ("report", ("val_loss", "min", 0.5, 3, 1e-4, 0)),
        ("macro_f1", ("val_macro_f1", "max", 0.5, 3, 1e-4, 0)),
        ("gapnet-pl", ("val_macro_f1", "max", 0.5, 30, 0, 0.01)),
    ],
)
def test_presets(preset, expected):
    callback = ReduceLR(preset)
    assert isinstance(callback, keras.callbacks.ReduceLROnPlateau)
    names = ("monitor", "mode", "factor", "patience", "min_delta", "min_relative_delta")
    assert tuple(getattr(callback, name) for name in names) == expected


def test_arguments_take_the_place_of_the_preset():
    callback = ReduceLR("report", monitor="loss", mode="max", factor=0.1, patience=7, min_relative_delta=0.2)
    assert (callback.monitor, callback.mode, callback.factor, callback.patience) == ("loss", "max", 0.1, 7)
    assert (callback.min_delta, callback.min_relative_delta) == (0, 0.2)


def test_report_halves_after_three_epochs_without_improvement():
    rates, final = _fit(ReduceLR("report"), 6, val_loss=[1.0, 0.5, 0.6, 0.49995, 0.7, 0.4])
    assert rates == [1, 1, 1, 1, 1, 0.5]
    assert final == 0.5


@pytest.mark.parametrize(
    ("mode", "values", "expected"),
    [
        ("max", [0.50, 0.504, 0.506, 0.512, 0.518], [1, 1, 0.5, 0.5, 0.5]),
        ("min", [0.50, 0.496, 0.494, 0.489, 0.484], [1, 1, 0.5, 0.5, 0.5]),
    ],
)
def test_relative_change_is_measured_from_the_best(mode, values, expected):
    callback = ReduceLR("gapnet-pl", mode=mode, patience=1)
    rates, _ = _fit(callback, 5, val_macro_f1=values)
    assert rates == expected


def test_gapnet_pl_direction_is_up():
    rates, _ = _fit(ReduceLR("gapnet-pl", patience=1), 4, val_macro_f1=[0.1, 0.2, 0.3, 0.4])
    assert rates == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preset": "reports"}, "'report', 'macro_f1', 'gapnet-pl'.*'reports'"),
        ({"monitor": ""}, "`monitor`.*''"),
        ({"mode": "auto"}, "`mode`.*'auto'"),
        ({"factor": 1.0}, "`factor`.*1.0"),
        ({"factor": 0.0}, "`factor`.*0.0"),
        ({"patience": -1}, "`patience`.*-1"),
        ({"patience": 1.5}, "`patience`.*1.5"),
        ({"cooldown": -1}, "`cooldown`.*-1"),
        ({"min_delta": -0.1}, "`min_delta`.*-0.1"),
        ({"min_lr": float("nan")}, "`min_lr`.*nan"),
        ({"min_delta": 0.1, "min_relative_delta": 0.1}, "Only one"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ReduceLR(**arguments)


def test_unknown_argument_is_refused():
    with pytest.raises(TypeError, match="patiense"):
        ReduceLR(patiense=3)


def test_monitored_name_that_was_not_compiled_is_refused_when_training_begins():
    with pytest.raises(ValueError, match=r"loss, macro_f1.*'val_macro_f2'"):
        _fit(ReduceLR(monitor="val_macro_f2"))


def test_name_logged_by_another_callback_is_declared():
    rates, _ = _fit(ReduceLR(monitor="mine", mode="max", callback_metrics=["mine"]), 2, mine=[0.0, 1.0])
    assert rates == [1, 1]


def test_declared_name_that_is_not_logged_is_refused_after_the_first_epoch():
    with pytest.raises(ValueError, match=r"epoch 1.*Received: 'mine'"):
        _fit(ReduceLR(monitor="mine", mode="max", callback_metrics=["mine"]))


def test_metrics_that_are_functions_have_no_name_to_check_before_the_first_batch():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse", metrics=[keras.metrics.mean_absolute_error])
    data = np.zeros((2, 2)), np.zeros((2, 1))
    reduce_lr = ReduceLR(monitor="val_mean_absolute_error")
    history = model.fit(*data, validation_data=data, verbose=0, callbacks=[reduce_lr])
    assert "learning_rate" in history.history


def _train(callback, metrics=("mae",), optimizer="sgd", **arguments):
    model = arguments.pop("model", None) or keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile(optimizer, "mse", metrics=list(metrics), weighted_metrics=arguments.pop("weighted_metrics", None))
    data = np.zeros((4, 2)), np.ones((4, 2))
    return model.fit(*data, validation_data=data, verbose=0, callbacks=[callback], **arguments).history


@pytest.mark.parametrize("monitor", ["val_loss", "val_mae"])
@pytest.mark.parametrize("validation_freq", [2, [3, 4]])
def test_epochs_without_validation_do_not_count(monitor, validation_freq, caplog):
    reduce_lr = ReduceLR(monitor=monitor, patience=1, min_delta=10)
    history = _train(reduce_lr, epochs=6, validation_freq=validation_freq)
    assert len(history["learning_rate"]) == 6
    validated = [2, 4, 6] if validation_freq == 2 else [3, 4]
    halved = [sum(epoch > one for one in validated[1:]) for epoch in range(1, 7)]
    np.testing.assert_allclose(history["learning_rate"], [0.01 * 0.5**number for number in halved])
    assert [record.getMessage() for record in caplog.records] == [
        f"ReduceLR: {monitor!r} was not logged in epoch 1; the learning rate stays until it is"
    ]


def test_validation_that_never_comes_is_refused_in_the_last_epoch():
    with pytest.raises(ValueError, match=r"not logged in epoch 2; was `validation_data`.*Received: 'val_loss'"):
        _train(ReduceLR(), epochs=2, validation_freq=3)


def test_names_that_keras_makes_are_known():
    twice = [keras.metrics.MeanAbsoluteError(name="f1"), keras.metrics.MeanSquaredError(name="f1")]
    weighted = [keras.metrics.MeanAbsoluteError(name="f1")]
    for monitor in ("val_f1_1", "val_weighted_f1", "weighted_f1", "f1_1"):
        assert "learning_rate" in _train(ReduceLR(monitor=monitor), twice, weighted_metrics=weighted)


def test_a_model_may_log_names_of_its_own():
    class Own(keras.Model):
        def test_step(self, *arguments):
            logs = super().test_step(*arguments)
            if keras.backend.backend() == "jax":
                return {**logs[0], "mine": logs[0]["loss"]}, logs[1]
            return logs | {"mine": logs["loss"]}

    inputs = keras.Input((2,))
    model = Own(inputs, keras.layers.Dense(2)(inputs))
    assert "val_mine" in _train(ReduceLR(monitor="val_mine"), model=model)


def test_a_schedule_is_refused_before_the_first_batch():
    schedule = keras.optimizers.schedules.CosineDecay(1.0, 10)
    with pytest.raises(ValueError, match=r"must be a number.*Received: 'CosineDecay'"):
        _train(ReduceLR(), optimizer=keras.optimizers.Adam(schedule))
