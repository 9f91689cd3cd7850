"""Trains, evaluates and predicts from sequences on two CPU devices of the backend in KERAS_BACKEND; prints JSON.

Run in a process of its own: how many devices there are is settled when the backend starts.
"""

import contextlib
import json
import os

import numpy as np

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras

from keras_hpa import (
    ArraySource,
    BinaryCrossentropy,
    CrossFittedMacroF1,
    MacroF1,
    Samples,
    cross_fit,
    predict_scores,
)

_NUM_SAMPLES = 23


def main() -> None:
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(_NUM_SAMPLES, 4, 4, 2)).astype("float32")
    labels = (rng.uniform(size=(_NUM_SAMPLES, 3)) < images.mean((1, 2, 3))[:, None]).astype("int8")
    samples = Samples(ArraySource(images), labels)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_two_devices())
        print(json.dumps(_values(samples)))  # noqa: T201


def _values(samples: Samples) -> dict:
    model, values = _compiled(), {}
    scores = predict_scores(model, samples.batches(batch_size=4), verbose=0)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    expected = np.concatenate(
        [keras.ops.convert_to_numpy(copy(samples.read(one)[None])) for one in range(len(samples))]
    )
    values["scores"] = float(np.abs(scores - expected).max())
    values["averaged"] = float(
        np.abs(predict_scores([model, model], samples.batches(batch_size=4), [0, 0], verbose=0) - expected).max()
    )
    whole = samples.batches(batch_size=4, shuffle=True, drop_remainder=True)
    values["lengths"] = [len(images) for images, _ in whole]
    logs = model.fit(whole, epochs=2, verbose=0).history
    values["losses"] = [bool(np.isfinite(one)) for one in logs["loss"]]
    evaluated = model.evaluate(samples[:20].batches(batch_size=4), verbose=0, return_dict=True)
    metric = MacroF1()
    trained = predict_scores(model, samples.batches(batch_size=4), verbose=0)
    metric.update_state(samples.labels[:20], trained[:20])
    values["macro_f1"] = [evaluated["macro_f1"], float(metric.result())]
    callback, logs = CrossFittedMacroF1(samples.batches(batch_size=4), rule="max_f1"), {}
    callback.set_model(model)
    callback.on_epoch_end(0, logs)
    values["cross_fitted"] = [logs["val_cross_fitted_macro_f1"], cross_fit("max_f1", trained, samples.labels)]
    return values


def _compiled() -> keras.Model:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="sigmoid")]
    model = keras.Sequential([keras.Input((4, 4, 2)), *layers])
    model.compile(keras.optimizers.SGD(0.1), BinaryCrossentropy(), metrics=[MacroF1(num_classes=3)])
    return model


def _two_devices() -> contextlib.AbstractContextManager:
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope()
    return keras.distribution.DataParallel().scope()


if __name__ == "__main__":
    main()
