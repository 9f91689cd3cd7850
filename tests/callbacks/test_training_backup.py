import csv
import json
import re
import threading

import keras
import numpy as np
import pytest

from keras_hpa.callbacks import ReduceLR, TrainingBackup
from keras_hpa.files import hold

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
    weights = json.loads((interrupted / "backup" / "backup.json").read_text())["weights"]
    assert sorted(path.name for path in (interrupted / "backup").iterdir()) == [
        ".lock",
        weights,
        "backup.json",
        "history.csv",
    ]
    assert re.fullmatch(r"backup-0005-[0-9a-f]{8}\.weights\.h5", weights)


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
    (tmp_path / "backup.json").write_text('{"format": "keras_hpa backup", "version": 7}')
    with pytest.raises(ValueError, match=r"backup\.json' must hold 1 in field 'version'\. Received: 7"):
        TrainingBackup(tmp_path).restore(_compiled_model())


def test_two_trainings_with_one_directory_are_refused_at_once(tmp_path):
    with hold(tmp_path / "backup", wait=True):
        errors = []

        def train():
            try:
                _train(tmp_path, epochs=1)
            except ValueError as error:
                errors.append(str(error))

        second = threading.Thread(target=train)
        second.start()
        second.join()
    assert re.match(r"A folder must be written by one process at a time\. Received: .*backup", errors[0])
    assert {path.name for path in (tmp_path / "backup").iterdir()} == {".lock"}
    _train(tmp_path, epochs=1)
    assert (tmp_path / "backup" / "backup.json").exists()


def _refused(folder):
    with pytest.raises(ValueError, match=r"backup\.json' must hold") as caught:
        _train(folder)
    return str(caught.value)


def test_damaged_weights_are_refused_before_they_are_read(interrupted):
    path = next((interrupted / "backup").glob("*.h5"))
    content = path.read_bytes()
    for damaged in (b"", content[:-1], b"x" + content):
        path.write_bytes(damaged)
        assert "in field 'weights'. Received: 'backup-0003-" in _refused(interrupted)
    path.unlink()
    assert "in field 'weights'. Received: 'backup-0003-" in _refused(interrupted)


def test_damaged_backup_is_refused(interrupted):
    path = interrupted / "backup" / "backup.json"
    content = json.loads(path.read_text())
    for field, value, message in (
        ("epochs", -1, "an integer in 1 to 999999999 in field 'epochs'"),
        ("epochs", 2, "2 values in field 'history"),
        ("weights", "../../model.weights.h5", "the name of a file of weights in field 'weights'"),
        ("random_states", [[2**32, 1]], "in field 'random_states[0][0]'"),
        ("history", {"loss": [None] * 3}, "in field 'history.loss[0]'"),
        ("callbacks", [{"name": "ReduceLR"}], "the fields ['name', 'state'] in field 'callbacks[0]'"),
        ("settings", [], "an object in field 'settings'"),
    ):
        path.write_text(json.dumps(content | {field: value}))
        assert message in _refused(interrupted)


def test_numbers_that_json_lacks_come_back(tmp_path):
    def train(epochs):
        model = _compiled_model()
        reduce_lr = ReduceLR("report", monitor="loss", patience=5)
        backup = TrainingBackup(tmp_path, callbacks=[reduce_lr])
        first = backup.restore(model)
        nan = keras.callbacks.LambdaCallback(
            on_epoch_end=lambda epoch, logs: logs.update(odd=[np.inf, -np.inf, np.nan][epoch])
        )
        model.fit(_IMAGES, _TARGETS, epochs=epochs, initial_epoch=first, verbose=0, callbacks=[nan, reduce_lr, backup])
        return backup

    train(2)
    np.testing.assert_array_equal(train(3).history["odd"], [np.inf, -np.inf, np.nan])
    json.loads((tmp_path / "backup.json").read_text(), parse_constant=pytest.fail)


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
