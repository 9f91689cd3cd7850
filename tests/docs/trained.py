"""What every way in must lead to: samples that are split by group, trained on, and predicted to a table."""

import csv

import keras
import numpy as np

import keras_hpa


def train_and_predict(samples, new, path="predictions.csv", **options):
    """One epoch on what a split gives, and a table of another folder."""
    train, test = samples.split(test_size=0.34)
    if samples.groups is not None:
        assert not set(train.groups) & set(test.groups)
    model = keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(samples.labels.shape[1])])
    model.add(keras.layers.Activation("sigmoid"))
    model.compile("sgd", loss="binary_crossentropy", run_eagerly=True)
    options = {"batch_size": 2, "image_size": 16, "max_value": 4095} | options
    model.fit(train.batches(shuffle=True, **options), validation_data=test.batches(**options), epochs=1, verbose=0)
    scores = keras_hpa.predict_scores(model, new.batches(**options), verbose=0)
    calibrator = keras_hpa.ThresholdCalibrator("fixed", class_names=samples.class_names)
    calibrator.fit(scores, np.eye(len(scores), scores.shape[1]))
    keras_hpa.write_predictions(path, new, scores, calibrator)
    with open(path, newline="") as file:
        assert [row["id"] for row in csv.DictReader(file)] == list(new.ids)
