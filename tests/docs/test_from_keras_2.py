"""The code of docs/how-to/from-keras-2.md."""

import keras
import numpy as np

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


def test_notebook():
    source, labels = keras_hpa.SyntheticAtlas(28, image_size=(32, 32)), np.eye(28)
    # --8<-- [start:sequence]
    sequence = keras_hpa.MultiChannelSequence(
        source, labels, batch_size=8, image_size=32, shuffle=True, augment="dihedral"
    )
    # --8<-- [end:sequence]
    # --8<-- [start:mixer]
    inputs = keras.Input((32, 32, 4))
    colours = keras_hpa.ChannelMixer("kernel")(inputs)
    # --8<-- [end:mixer]
    features = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(colours))
    model = keras.Model(inputs, keras.layers.Dense(28, activation="sigmoid")(features))
    # --8<-- [start:metric]
    model.compile("adam", loss="binary_crossentropy", metrics=[keras_hpa.MacroF1(), keras_hpa.BatchMacroF1()])
    # --8<-- [end:metric]
    validation = keras_hpa.MultiChannelSequence(source, labels, batch_size=8, image_size=32)
    # --8<-- [start:fit]
    model.fit(sequence, validation_data=validation, epochs=1, callbacks=[keras_hpa.ReduceLR("macro_f1")])
    # --8<-- [end:fit]
    scores = model.predict(validation, verbose=0)
    # --8<-- [start:thresholds]
    published = keras_hpa.ThresholdCalibrator("report").fit(scores, labels)
    better = keras_hpa.ThresholdCalibrator().fit(scores, labels)
    # --8<-- [end:thresholds]
    assert published.predict(scores).shape == better.predict(scores).shape == (28, 28)


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
