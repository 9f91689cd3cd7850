"""Scores and trains one model on two CPU devices of the backend in KERAS_BACKEND; prints what came out as JSON.

Run in a process of its own: how many devices there are is settled when the backend starts.
"""

import contextlib
import json
import os

import numpy as np
from sklearn.metrics import f1_score

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras

from keras_hpa import AsymmetricLoss, CrossFittedMacroF1, MacroF1, cross_fit


def main() -> None:
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(36, 5)).astype("float32"), rng.integers(-1, 2, (36, 4))
    labels[:, 3] = np.maximum(labels[:, 3], 0)
    with _two_devices():
        trained_weights = _train(inputs, abs(labels))
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="sigmoid")])
        metrics = [MacroF1(0.4), MacroF1(0.4, num_classes=4, average="micro", name="micro_f1")]
        model.compile(keras.optimizers.SGD(0.0), AsymmetricLoss(), metrics=metrics)
        logged = model.evaluate(inputs, labels, batch_size=8, verbose=0, return_dict=True)
        scores = model.predict(inputs, batch_size=8, verbose=0)
        cross_fitted = CrossFittedMacroF1((inputs, labels), rule="max_f1", batch_size=8)
        fitted = model.fit(inputs, labels, batch_size=8, epochs=2, verbose=0, callbacks=[cross_fitted]).history

    known = labels >= 0
    per_class = [f1_score(labels[k, c], scores[k, c] >= 0.4) for c, k in enumerate(known.T)]
    values = {
        "logged": logged,
        "macro_f1": float(np.mean(per_class)),
        "micro_f1": f1_score(labels[known], scores[known] >= 0.4),
        "fitted": fitted["macro_f1"],
        "cross_fitted": fitted["val_cross_fitted_macro_f1"],
        "cross_fitted_on_one_device": cross_fit("max_f1", scores, labels),
        "trained_weights": trained_weights,
        "trained_weights_on_one_device": _train(inputs, abs(labels)),
    }
    print(json.dumps(values))  # noqa: T201


def _train(inputs: np.ndarray, labels: np.ndarray) -> list:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(0.5), AsymmetricLoss())
    model.fit(inputs, labels, batch_size=12, verbose=0)
    return model.get_weights()[0].tolist()


def _two_devices() -> contextlib.AbstractContextManager:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        assert strategy.num_replicas_in_sync == 2
        return strategy.scope()
    distribution = keras.distribution.DataParallel()
    assert distribution.device_mesh.devices.size == 2
    return distribution.scope()


if __name__ == "__main__":
    main()
