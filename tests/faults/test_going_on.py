"""What goes on where it stopped goes on with the same, or says what has changed."""

import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, MultiChannelSequence, Samples, TrainingBackup

_RANDOM = np.random.default_rng(0)
_IMAGES = _RANDOM.uniform(size=(10, 4, 4, 2)).astype("float32")
_LABELS = _RANDOM.integers(0, 2, (10, 3))
_IDS, _CLASSES = list("abcdefghij"), ["Golgi", "Cytosol", "Nucleus"]


def _model(optimizer=None):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="sigmoid")]
    model = keras.Sequential([keras.Input((4, 4, 2)), *layers])
    model.compile(keras.optimizers.Adam(0.05) if optimizer is None else optimizer, "binary_crossentropy")
    return model


def _samples(images=_IMAGES, labels=_LABELS, ids=_IDS, channels=("x", "y"), class_names=_CLASSES):
    return Samples(ArraySource(images, ids, channels=channels), labels, class_names=class_names)


def _train(folder, data, epochs, model=None, callbacks=()):
    model, backup = model or _model(), TrainingBackup(folder)
    first = backup.restore(model)
    x, y = data if isinstance(data, tuple) else (data, None)
    callbacks = [*callbacks, backup]
    model.fit(x, y, epochs=epochs, initial_epoch=first, shuffle=False, verbose=0, callbacks=callbacks)
    return model


_OTHER_DATA = {
    "images": _samples(_IMAGES[::-1]),
    "labels": _samples(labels=1 - _LABELS),
    "ids": _samples(ids=_IDS[::-1]),
    "channels": _samples().select_channels(["y", "x"]),
    "class_names": _samples(class_names=_CLASSES[::-1]),
    "fewer samples": _samples()[:8],
}


@pytest.mark.parametrize("other", _OTHER_DATA.values(), ids=_OTHER_DATA.keys())
def test_a_backup_of_other_data_is_refused(other, tmp_path):
    _train(tmp_path, MultiChannelSequence(_samples(), batch_size=5), 1)
    with pytest.raises(ValueError, match=r"`fit` must go on with the data of the backup in .*, whose .*Received: "):
        _train(tmp_path, MultiChannelSequence(other, batch_size=5), 2)
    _train(tmp_path, MultiChannelSequence(_samples(), batch_size=5), 2)


@pytest.mark.parametrize("other", [(_IMAGES[::-1], _LABELS), (_IMAGES, 1 - _LABELS), (_IMAGES[:8], _LABELS[:8])])
def test_a_backup_of_other_arrays_is_refused(other, tmp_path):
    _train(tmp_path, (_IMAGES, _LABELS), 1)
    with pytest.raises(ValueError, match=r"`fit` must go on with the data of the backup"):
        _train(tmp_path, other, 2)


_OTHER_OPTIMIZERS = {
    "kind": lambda: keras.optimizers.SGD(0.05),
    "kind with as many weights": lambda: keras.optimizers.AdamW(0.05),
    "momentum": lambda: keras.optimizers.Adam(0.05, beta_1=0.5),
    "average": lambda: keras.optimizers.Adam(0.05, use_ema=True),
    "schedule": lambda: keras.optimizers.Adam(keras.optimizers.schedules.ExponentialDecay(0.05, 10, 0.5)),
}


@pytest.mark.parametrize("other", _OTHER_OPTIMIZERS.values(), ids=_OTHER_OPTIMIZERS.keys())
def test_a_backup_of_another_optimizer_is_refused(other, tmp_path):
    _train(tmp_path, (_IMAGES, _LABELS), 1)
    with pytest.raises(ValueError, match=r"`model` must be compiled with the optimizer of the backup .*Received: "):
        _train(tmp_path, (_IMAGES, _LABELS), 2, _model(other()))


def test_the_learning_rate_is_that_of_the_backup_whatever_was_compiled(tmp_path):
    _train(tmp_path, (_IMAGES, _LABELS), 1)
    model = _train(tmp_path, (_IMAGES, _LABELS), 2, _model(keras.optimizers.Adam(0.7)))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)


class _Kill(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("ends", ["killed", "ended"])
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("validated", [False, True])
def test_training_goes_on_from_the_trained_weights_beside_their_average(ends, is_first, validated, tmp_path):
    def train(folder, epochs, *more):
        model = _model(keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.9))
        backup, swap = TrainingBackup(folder), keras.callbacks.SwapEMAWeights(swap_on_epoch=True)
        first = backup.restore(model)
        model.fit(
            _IMAGES,
            _LABELS,
            batch_size=4,
            epochs=epochs,
            initial_epoch=first,
            validation_data=(_IMAGES, _LABELS) if validated else None,
            shuffle=False,
            verbose=0,
            callbacks=[*([swap, backup] if is_first else [backup, swap]), *more],
        )
        return model.get_weights()

    expected = train(tmp_path / "whole", 4)
    if ends == "killed":
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "parts", 4, _Kill())
    else:
        train(tmp_path / "parts", 2)
    for weight, whole in zip(train(tmp_path / "parts", 4), expected, strict=True):
        np.testing.assert_allclose(weight, whole, atol=1e-6)
