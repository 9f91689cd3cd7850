"""The code of docs/how-to/reproducible-training.md."""

import keras
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make_samples():
    return keras_hpa.Samples(keras_hpa.SyntheticAtlas(8, image_size=(32, 32)), np.eye(8, 28))


def make_model():
    model = keras_hpa.GapNet((32, 32, 4), 28, filters=(4, 4, 4))
    model.compile("adam", loss="binary_crossentropy")
    return model


def test_batches():
    train = make_samples()
    # --8<-- [start:seed]
    keras.utils.set_random_seed(7)  # weights and dropout
    sequence = train.batches(shuffle=True, augment="dihedral", seed=7, batches_per_epoch=100)
    # --8<-- [end:seed]
    # --8<-- [start:initial]
    later = train.batches(shuffle=True, augment="dihedral", seed=7, batches_per_epoch=100, initial_epoch=3)
    # --8<-- [end:initial]
    sequence.epoch = 3
    np.testing.assert_array_equal(sequence[0][0], later[0][0])
    # --8<-- [start:shard]
    halves = [train.batches(batch_size=2, shuffle=True, seed=7, shard=(index, 2)) for index in range(2)]
    # --8<-- [end:shard]
    seen = np.concatenate([half[k][1] for half in halves for k in range(len(half))])
    np.testing.assert_array_equal(seen.sum(0), train.labels.sum(0))


def test_backup():
    train = make_samples()
    model = make_model()
    for epochs in (1, 2):
        # --8<-- [start:backup]
        reduce_lr = keras_hpa.ReduceLR("report", monitor="loss")
        settings = {"seed": 7, "batch_size": 4}
        backup = keras_hpa.TrainingBackup("backup", callbacks=[reduce_lr], settings=settings)
        epoch = backup.restore(model)  # 0 the first time
        sequence = train.batches(shuffle=True, initial_epoch=epoch, **settings)
        model.fit(sequence, epochs=epochs, initial_epoch=epoch, callbacks=[reduce_lr, backup])
        # --8<-- [end:backup]
    assert epoch == 1


def test_what_goes_wrong():
    model, reduce_lr = make_model(), keras_hpa.ReduceLR("report", monitor="loss")
    backup = keras_hpa.TrainingBackup("backup", callbacks=[reduce_lr], settings={"seed": 7})
    model.fit(np.zeros((1, 32, 32, 4)), np.zeros((1, 28)), callbacks=[reduce_lr, backup], verbose=0)
    other_settings = keras_hpa.TrainingBackup("backup", callbacks=[reduce_lr], settings={"seed": 8})
    other_callbacks = keras_hpa.TrainingBackup("backup", settings={"seed": 7})
    stopping = keras.callbacks.EarlyStopping(restore_best_weights=True)
    check_quoted_messages(
        "how-to/reproducible-training.md",
        [
            (ValueError, lambda: other_settings.restore(model)),
            (ValueError, lambda: other_callbacks.restore(model)),
            (ValueError, lambda: keras_hpa.TrainingBackup("backup", callbacks=[stopping])),
        ],
    )
