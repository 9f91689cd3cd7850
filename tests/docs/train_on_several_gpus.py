"""The code of "Several GPUs of one machine" on docs/how-to/many-machines.md, on two processor devices in place of GPUs.

Run in a process of its own: how many devices there are is settled when the backend starts. Saves the scores that it
gets to the path that it is given.
"""

import os
import sys

os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import keras
import numpy as np

import keras_hpa


def main(devices: int, path: str) -> None:
    scope, found = on_jax(devices) if keras.backend.backend() == "jax" else on_tensorflow(devices)
    assert found == devices
    samples = keras_hpa.SyntheticAtlas(40, image_size=32, balance="uniform").samples
    train, validation = samples[:32], samples[32:]
    keras.utils.set_random_seed(0)
    # --8<-- [start:train]
    with scope:
        model = keras_hpa.GapNet((32, 32, 4), 28, normalization="group")
        model.compile("adam", keras_hpa.BinaryCrossentropy(), metrics=[keras_hpa.MacroF1()])
        batches = train.batches(batch_size=16, shuffle=True, drop_remainder=True)
        model.fit(batches, validation_data=validation.batches(batch_size=8), epochs=2)
        scores = keras_hpa.predict_scores(model, validation.batches(batch_size=8))
    # --8<-- [end:train]
    np.save(path, scores)


def on_tensorflow(devices: int):
    import tensorflow as tf

    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
    # --8<-- [start:tensorflow]
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy()
    scope = strategy.scope()
    # --8<-- [end:tensorflow]
    return scope, strategy.num_replicas_in_sync


def on_jax(devices: int):
    # --8<-- [start:jax]
    distribution = keras.distribution.DataParallel()
    scope = distribution.scope()
    # --8<-- [end:jax]
    if devices == 1:
        import contextlib

        return contextlib.nullcontext(), 1
    return scope, distribution.device_mesh.devices.size


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
