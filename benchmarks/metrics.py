"""What MacroF1 costs: an update on one batch, against one training step of GapNet on it.

    python benchmarks/metrics.py

Both are compiled as `fit` compiles them; each is timed in turn with the other, and medians are printed.
"""

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

import keras_hpa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    if keras.backend.backend() != "tensorflow":
        raise SystemExit("This benchmark compiles with TensorFlow: set KERAS_BACKEND=tensorflow.")

    rng = np.random.default_rng(0)
    images = tf.constant(rng.random((args.batch_size, args.image_size, args.image_size, 4)), "float32")
    labels = tf.constant(rng.integers(0, 2, (args.batch_size, 28)), "float32")
    scores = tf.constant(rng.random((args.batch_size, 28)), "float32")

    model = keras_hpa.GapNet((args.image_size, args.image_size, 4), 28, variant="report")
    model.compile("adam", "binary_crossentropy")
    metrics = {
        "keras_hpa.MacroF1, one threshold": keras_hpa.MacroF1(0.5, num_classes=28),
        "keras_hpa.MacroF1, 28 thresholds": keras_hpa.MacroF1(rng.random(28)),
        "keras.metrics.F1Score": keras.metrics.F1Score("macro", threshold=0.5),
    }
    updates = {name: _compiled_update(metric, labels, scores) for name, metric in metrics.items()}

    times: dict[str, list[float]] = {name: [] for name in ("step", *updates)}
    for number in range(args.rounds + 2):
        for name, action in {"step": lambda: model.train_on_batch(images, labels), **updates}.items():
            repeats = 1 if name == "step" else 100
            began = time.perf_counter()
            for _ in range(repeats):
                action()
            if number >= 2:  # the first rounds compile
                times[name].append((time.perf_counter() - began) / repeats)

    step = np.median(times["step"])
    print(
        f"training step of GapNet, {args.batch_size} x {args.image_size} x {args.image_size} x 4: {step * 1e3:.1f} ms"
    )
    print("\n| update_state of | microseconds | share of the training step |\n| --- | --- | --- |")
    for name in updates:
        update = np.median(times[name])
        print(f"| {name} | {update * 1e6:.0f} | {update / step:.3%} |")


def _compiled_update(metric: keras.metrics.Metric, labels: tf.Tensor, scores: tf.Tensor) -> Callable[[], None]:
    metric.update_state(labels, scores)  # makes the variables
    return tf.function(lambda: metric.update_state(labels, scores))


if __name__ == "__main__":
    main()
