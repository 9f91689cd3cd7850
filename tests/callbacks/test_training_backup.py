import csv

import keras
import numpy as np
import pytest

from keras_hpa.callbacks import ReduceLR, TrainingBackup

_RANDOM = np.random.default_rng(0)
_IMAGES = _RANDOM.normal(size=(12, 4)).astype("float32")
_TARGETS = _RANDOM.normal(size=(12, 2)).astype("float32")


class _Kill(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


def _compiled_model(units=2):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(8), keras.layers.Dropout(0.5, seed=3), keras.layers.Dense(units)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(keras.optimizers.Adam(0.1), loss="mse")
    return model


def _train(folder, epochs=5, kill_at=None, settings=None):
    """Trains, or goes on with what lies in `folder`, and returns the callbacks."""
    model = _compiled_model()
    # An improvement of 1 is never reached, so that the learning rate falls every second epoch.
    reduce_lr = ReduceLR("report", patience=2, min_delta=1.0)
    best = keras.callbacks.ModelCheckpoint(folder / "best.keras", "val_loss", mode="min", save_best_only=True)
    backup = TrainingBackup(folder / "backup", callbacks=[reduce_lr, best], settings=settings)
    first = backup.restore(model)
    model.fit(
        _IMAGES,
        _TARGETS,
        validation_data=(_IMAGES, _TARGETS),
        epochs=epochs,
        initial_epoch=first,
        shuffle=False,
        verbose=0,
        callbacks=[reduce_lr, best, backup] + ([_Kill(kill_at)] if kill_at is not None else []),
    )
    return model, reduce_lr, best, backup


@pytest.fixture
def interrupted(tmp_path):
    folder = tmp_path / "interrupted"
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        _train(folder, kill_at=3)
    return folder


def test_resumed_training_equals_an_uninterrupted_one(tmp_path, interrupted):
    whole_model, whole_lr, whole_best, whole = _train(tmp_path / "whole")
    model, reduce_lr, best, backup = _train(interrupted)
    assert whole.history.keys() == backup.history.keys()
    for name, values in whole.history.items():
        np.testing.assert_allclose(backup.history[name], values, rtol=1e-5, err_msg=name)
    assert len(set(backup.history["learning_rate"])) >= 2
    assert (reduce_lr.wait, reduce_lr.cooldown_counter) == (whole_lr.wait, whole_lr.cooldown_counter)
    np.testing.assert_allclose([reduce_lr.best, best.best], [whole_lr.best, whole_best.best], rtol=1e-5)
    for weight, expected in zip(model.get_weights(), whole_model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, rtol=1e-4, atol=1e-6)


def test_history_csv_has_a_row_per_epoch(interrupted):
    _, _, _, backup = _train(interrupted)
    with (interrupted / "backup" / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    np.testing.assert_array_equal([float(row["val_loss"]) for row in rows], backup.history["val_loss"])
    assert sorted(path.name for path in (interrupted / "backup").iterdir()) == [
        "backup.json",
        "epoch-0005.weights.h5",
        "history.csv",
    ]


def test_nothing_to_restore_is_epoch_0(tmp_path):
    assert TrainingBackup(tmp_path / "none").restore(_compiled_model()) == 0


def test_without_restore_the_history_starts_anew(tmp_path):
    backup = TrainingBackup(tmp_path)
    model = _compiled_model()
    for _ in range(2):
        model.fit(_IMAGES, _TARGETS, epochs=2, verbose=0, callbacks=[backup])
    assert len(backup.history["loss"]) == 2


def test_other_settings_are_refused(tmp_path):
    _train(tmp_path, epochs=1, settings={"batch_size": 32, "seed": 0})
    with pytest.raises(ValueError, match=r"\{'batch_size': 32\}.*Received: \{'batch_size': 16\}"):
        _train(tmp_path, epochs=2, settings={"batch_size": 16, "seed": 0})


def test_other_callbacks_are_refused(interrupted):
    backup = TrainingBackup(interrupted / "backup", callbacks=[ReduceLR()])
    with pytest.raises(ValueError, match=r"\['ReduceLR', 'ModelCheckpoint'\].*Received: \['ReduceLR'\]"):
        backup.restore(_compiled_model())


def test_uncompiled_model_is_refused(tmp_path):
    _train(tmp_path, epochs=1)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="plain")
    backup = TrainingBackup(tmp_path / "backup", callbacks=[ReduceLR(), keras.callbacks.ModelCheckpoint("x.keras")])
    with pytest.raises(ValueError, match=r"compiled.*'plain'"):
        backup.restore(model)


def test_another_version_is_refused(tmp_path):
    (tmp_path / "backup.json").write_text('{"version": 7}')
    with pytest.raises(ValueError, match=r"version 1.*Received: 7"):
        TrainingBackup(tmp_path).restore(_compiled_model())


def test_callback_with_weights_of_its_own_is_refused():
    stopping = keras.callbacks.EarlyStopping(restore_best_weights=True)
    with pytest.raises(ValueError, match=r"ModelCheckpoint.*Received: EarlyStopping"):
        TrainingBackup("x", callbacks=[stopping])


def test_learning_rate_is_the_one_an_epoch_was_trained_with(tmp_path):
    model = _compiled_model()
    reduce_lr = ReduceLR("report", patience=1, min_delta=1.0)
    backup = TrainingBackup(tmp_path, callbacks=[reduce_lr])
    history = model.fit(
        _IMAGES, _TARGETS, validation_data=(_IMAGES, _TARGETS), epochs=4, verbose=0, callbacks=[reduce_lr, backup]
    )
    assert backup.history["learning_rate"] == pytest.approx([0.1, 0.1, 0.05, 0.025])
    assert backup.history["learning_rate"] == history.history["learning_rate"]


def test_another_model_is_refused(tmp_path):
    _train(tmp_path, epochs=1)
    backup = TrainingBackup(
        tmp_path / "backup", callbacks=[ReduceLR(), keras.callbacks.ModelCheckpoint("x.keras")], settings=None
    )
    with pytest.raises(ValueError, match=r"`model` must be the one of the backup"):
        backup.restore(_compiled_model(units=3))


def test_a_metric_of_several_values_is_kept(tmp_path):
    model = _compiled_model()
    model.compile("sgd", "mse", metrics=[keras.metrics.F1Score(average=None, threshold=0.5)])
    backup = TrainingBackup(tmp_path)
    model.fit(_IMAGES, (_TARGETS > 0).astype("float32"), epochs=2, verbose=0, callbacks=[backup])
    assert np.shape(backup.history["f1_score"]) == (2, 2)
    again = TrainingBackup(tmp_path)
    assert again.restore(model) == 2
    assert again.history == backup.history
