"""The code of docs/how-to/from-keras-2.md."""

import keras
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


def network(colours):
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(colours))
    return keras.layers.Dense(28, activation="sigmoid")(features)


@pytest.mark.usefixtures("_short_trainings")
@pytest.mark.filterwarnings('ignore:Under `rule="report"`')  # few samples, many classes absent
def test_notebook(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras_hpa.SyntheticAtlas(40, image_size=(32, 32), balance="uniform").save("human-protein-atlas")
    # --8<-- [start:sequence]
    samples = keras_hpa.load_kaggle("human-protein-atlas")
    train, validation = samples.split(validation_size=0.2)
    train_batches = train.batches(batch_size=20, image_size=299, shuffle=True, augment="dihedral")
    validation_batches = validation.batches(batch_size=20, image_size=299)
    # --8<-- [end:sequence]
    # --8<-- [start:mixer]
    inputs = keras.Input((299, 299, 4))
    colours = keras_hpa.ChannelMixer("kernel")(inputs)
    model = keras.Model(inputs, network(colours))
    # --8<-- [end:mixer]
    # --8<-- [start:metric]
    model.compile("adam", loss="binary_crossentropy", metrics=[keras_hpa.MacroF1(), keras_hpa.BatchMacroF1()])
    # --8<-- [end:metric]
    # --8<-- [start:fit]
    model.fit(train_batches, validation_data=validation_batches, epochs=15, callbacks=[keras_hpa.ReduceLR("macro_f1")])
    # --8<-- [end:fit]
    # --8<-- [start:thresholds]
    scores = keras_hpa.predict_scores(model, validation_batches)
    published = keras_hpa.ThresholdCalibrator("report").fit(scores, validation.labels)
    better = keras_hpa.ThresholdCalibrator().fit(scores, validation.labels)
    # --8<-- [end:thresholds]
    assert published.predict(scores).shape == better.predict(scores).shape == (len(validation), 28)


def test_what_goes_wrong():
    inputs, labels = np.zeros((2, 4)), np.zeros((2, 2))
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("adam", loss="binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    reduce_lr = keras_hpa.ReduceLR(monitor="val_f1", mode="max")
    mixer = keras_hpa.ChannelMixer("kernel", name="mixer")
    check_quoted_messages(
        "how-to/from-keras-2.md",
        [
            (ValueError, lambda: model.fit(inputs, labels, callbacks=[reduce_lr], verbose=0)),
            (ValueError, lambda: mixer(np.zeros((1, 8, 8, 3), "float32"))),
        ],
    )
