"""What each network costs: parameters, multiply-adds, memory, samples a second in training and prediction.

    python benchmarks/models.py
    python benchmarks/models.py --image-size 512 --batch-size 32 --policies float32 mixed_bfloat16

Prints a Markdown table. Speeds and memory are ratios to the report's GapNet, which ran beside them with the same
settings; its own samples a second stand above the table. Each network runs in a process of its own, so that its peak
memory is its own.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import keras
import numpy as np

import keras_hpa

NETWORKS: dict[str, Callable[[int], keras.Model]] = {
    "GapNet report": lambda size: keras_hpa.GapNet((size, size, 4), 28, variant="report"),
    "GapNet light": lambda size: keras_hpa.GapNet((size, size, 4), 28, variant="light"),
    "GapNet textured": lambda size: keras_hpa.GapNet((size, size, 4), 28, variant="textured"),
    "GapNet gapnet-pl": lambda size: keras_hpa.GapNet((size, size, 4), 28, variant="gapnet-pl"),
    **{
        f"{name}, multi-level": lambda size, name=name: keras_hpa.PretrainedClassifier(
            name, (size, size, 4), 28, weights=None, adapter="inflate", head="multi-level"
        )
        for name in ("MobileNetV2", "EfficientNetB0", "ResNet50")
    },
}
REFERENCE = "GapNet report"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--policies", nargs="+", default=["float32", "mixed_bfloat16"])
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each speed is measured")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(*args.measure, args)))
        return

    rows = {(REFERENCE, policy): run(REFERENCE, policy) for policy in args.policies}
    reference = rows[REFERENCE, args.policies[0]]
    machine = f"{keras.backend.backend()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, {args.image_size} pixels, batches of {args.batch_size}. {REFERENCE}, {args.policies[0]}: ")
    print(", ".join(f"{key} {value:,.1f}" for key, value in reference.items()))
    print("| network | precision | parameters | multiply-adds, M | peak memory | training | prediction |")
    print("| --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for name in args.networks:
        for policy in args.policies:
            row = rows.get((name, policy)) or run(name, policy)
            ratios = " | ".join(f"{row[key] / reference[key]:.2f}" for key in ("memory_mb", "training", "prediction"))
            print(
                f"| {name} | {policy} | {row['parameters']:,.0f} | {row['multiply_adds']:,.0f} | {ratios} |", flush=True
            )


def run(name: str, policy: str) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, *sys.argv, "--measure", name, policy], check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(answer.stdout.splitlines()[-1])


def measure(name: str, policy: str, args: argparse.Namespace) -> dict[str, float]:
    keras.config.set_dtype_policy(policy)
    model = NETWORKS[name](args.image_size)
    images = np.random.default_rng(0).random((args.batch_size, args.image_size, args.image_size, 4), "float32")
    labels = np.eye(28, dtype="float32")[np.arange(args.batch_size) % 28]
    model.compile("adam", "binary_crossentropy")
    return {
        "parameters": model.count_params(),
        "multiply_adds": sum(multiply_adds(model)) / 1e6,
        "prediction": samples_per_second(lambda: model.predict_on_batch(images), args),
        "training": samples_per_second(lambda: model.train_on_batch(images, labels), args),
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def samples_per_second(step: Callable[[], object], args: argparse.Namespace) -> float:
    step()  # compiles
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < args.seconds:
        step()
        steps += 1
    return steps * args.batch_size / (time.perf_counter() - start)


def multiply_adds(model: keras.Model) -> Iterator[int]:
    """Of every convolution and dense layer, for one image."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from multiply_adds(layer)
        elif isinstance(layer, keras.layers.DepthwiseConv2D):
            yield int(np.prod(layer.output.shape[1:]) * np.prod(layer.kernel.shape[:2]))
        elif isinstance(layer, keras.layers.Conv2D):
            yield int(np.prod(layer.output.shape[1:3]) * np.prod(layer.kernel.shape))
        elif isinstance(layer, keras.layers.Dense):
            yield int(np.prod(layer.kernel.shape))


if __name__ == "__main__":
    main()
