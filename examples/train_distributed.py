"""Trains a network on several devices, and on several processes or machines, through Keras's own distribution.

    python examples/train_distributed.py --output out                        # all devices of this machine
    KERAS_BACKEND=jax python examples/train_distributed.py --output out --processes 2    # two processes, to try it

On several machines, start it on each with the same options and, on JAX, the variables that Keras reads:

    KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=10.0.0.1:1234 KERAS_DISTRIBUTION_NUM_PROCESSES=4 \
        KERAS_DISTRIBUTION_PROCESS_ID=0 python examples/train_distributed.py --output /shared/out --resume

Every process reads its own share of each batch. `--batch-size` is that of all together, so that a training does not
depend on how many there are. The folder must be one that all reach: the first process writes it.

What Keras 3.15 can do: JAX, several devices and several processes; TensorFlow, several devices of one machine, not
several processes (https://github.com/keras-team/keras/issues/20585); Torch, neither.
"""

import argparse
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

_ADDRESSES, _NUMBER, _ID = (f"KERAS_DISTRIBUTION_{name}" for name in ("JOB_ADDRESSES", "NUM_PROCESSES", "PROCESS_ID"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder for the backup and the trained model")
    parser.add_argument("--processes", type=int, default=1, help="start so many on this machine")
    parser.add_argument("--devices", type=int, help="divide the processor into so many devices, to try it without GPUs")
    parser.add_argument("--network", choices=("gapnet", "pretrained"), default="gapnet")
    parser.add_argument("--plain", action="store_true", help="without BatchNorm and dropout, which tells runs apart")
    parser.add_argument("--loss", choices=("crossentropy", "macro-f1"), default="crossentropy")
    parser.add_argument("--samples", type=int, default=480, help="how many are drawn")
    parser.add_argument("--image-size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32, help="of all devices together")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, help="batches an epoch; a pass over the samples unless given")
    parser.add_argument("--resume", action="store_true", help="go on with the training that lies in the output folder")
    args = parser.parse_args(arguments)
    if args.processes > 1 and _ID not in os.environ:
        start(args.processes, sys.argv[1:] if arguments is None else arguments)
        return
    train(args)


def start(number: int, arguments: Sequence[str]) -> None:
    """Starts processes of this machine; where one fails the others, which wait for it, are ended."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{one.getsockname()[1]}"
    shared = os.environ | {_ADDRESSES: address, _NUMBER: str(number)}
    command = [sys.executable, __file__, *arguments]
    processes = [subprocess.Popen(command, env=shared | {_ID: str(index)}) for index in range(number)]
    try:
        left = list(processes)
        while left:
            for process in left:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    if process.wait(timeout=0.1):
                        sys.exit(f"One of {number} processes ended with code {process.returncode}.")
                    left = [other for other in left if other is not process]
    finally:
        for process in processes:
            process.kill()


def train(args: argparse.Namespace) -> None:
    index, number = int(os.environ.get(_ID, 0)), int(os.environ.get(_NUMBER, 1))
    if args.devices:  # a backend reads it when it begins
        os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={args.devices}"
    import keras

    import keras_hpa

    keras.utils.set_random_seed(0)
    with spread(args.devices, number):
        samples = keras_hpa.SyntheticAtlas(args.samples, image_size=args.image_size, balance="uniform").samples
        training, validation = samples.split(test_size=0.25)
        batching = {"batch_size": args.batch_size // number, "drop_remainder": True, "shard": (index, number)}
        model = build(args)
        losses = {"crossentropy": keras_hpa.BinaryCrossentropy(), "macro-f1": keras_hpa.MacroF1Loss()}
        metrics = [keras_hpa.MacroF1(num_classes=28)]
        model.compile(keras.optimizers.Adam(1e-3), losses[args.loss], metrics=metrics)
        # On JAX a process that makes a variable waits for the others to make it too, and files are written by the way
        # of variables: all processes write, the others where nobody looks, and all begin with what the first one kept.
        backup = keras_hpa.TrainingBackup(args.output / "backup", settings={"batch_size": args.batch_size})
        epoch = backup.restore(model) if args.resume else 0
        order = {"shuffle": True, "batches_per_epoch": args.steps, "initial_epoch": epoch}
        folder = args.output if index == 0 else Path(tempfile.mkdtemp())
        if index > 0:
            backup = keras_hpa.TrainingBackup(folder / "backup")
        verbose = 2 if index == 0 else 0
        batches = training.batches(**batching, **order)
        model.fit(batches, epochs=args.epochs, initial_epoch=epoch, callbacks=[backup], verbose=verbose)
        found = model.evaluate(validation.batches(**batching), verbose=0, return_dict=True)
        model.save(folder / "model.keras")
    if index == 0:
        print(f"validation: {found}")
    else:
        shutil.rmtree(folder)


def spread(devices: int | None, processes: int) -> contextlib.AbstractContextManager:
    """What puts a copy of the model on every device, of all processes, and gives each a part of the batch."""
    import keras

    backend = keras.backend.backend()
    if backend == "jax":
        if processes > 1:
            keras.distribution.initialize()
        # Each process reads its own share, which Keras is not to divide again.
        return keras.distribution.DataParallel(auto_shard_dataset=False).scope()
    if backend == "tensorflow" and processes == 1:
        import tensorflow as tf

        if devices:
            processor = tf.config.list_physical_devices("CPU")[0]
            tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * devices)
            return tf.distribute.MirroredStrategy([f"CPU:{device}" for device in range(devices)]).scope()
        return tf.distribute.MirroredStrategy().scope()
    if processes > 1 or devices:
        sys.exit(
            "Several processes need KERAS_BACKEND=jax, several devices that or tensorflow: Keras's fit does not run on "
            f"TensorFlow's MultiWorkerMirroredStrategy, and has nothing for Torch. Received: {backend}"
        )
    return contextlib.nullcontext()


def build(args: argparse.Namespace) -> "keras.Model":  # noqa: F821
    import keras_hpa

    shape = (args.image_size, args.image_size, 4)
    if args.network == "pretrained":
        return keras_hpa.PretrainedClassifier("MobileNetV2", shape, 28, weights=None)
    plain = {"normalization": "none", "dropout": 0.0, "head_dropout": (0.0, 0.0)} if args.plain else {}
    return keras_hpa.GapNet(shape, 28, **plain)


if __name__ == "__main__":
    main()
