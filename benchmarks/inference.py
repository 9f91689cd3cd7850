"""How fast networks predict, what memory `predict_scores` takes, and whether a resumed run equals an uninterrupted one.

    python benchmarks/inference.py
    python benchmarks/inference.py --only speed --image-size 256

Speed: samples a second of each GapNet as it is, and the ratio to that of the same network with its BatchNorm folded
into its neighbours, in bfloat16, compiled by XLA, and folded and compiled. They take turns batch by batch, and medians
are compared. Memory: the peak of a fresh process that predicts few samples, and many. Resume: a run in a process of its
own that is killed (SIGKILL) three times on its way, against one that is not.
"""

import argparse
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

import keras_hpa

VARIANTS = ("report", "light", "gapnet-pl")
PARTS = ("speed", "memory", "resume")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=15, help="batches of each network whose median is taken")
    parser.add_argument("--samples", type=int, nargs=2, default=(200, 2000), help="few and many")
    parser.add_argument("--predict", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.predict:
        predict(args)
        return
    machine = f"{keras.backend.backend()}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    print(f"{machine}, {args.image_size} pixels, batches of {args.batch_size}", flush=True)
    for part, measure in zip(PARTS, (measure_speed, measure_memory, measure_resume), strict=True):
        if part in args.only:
            measure(args)


def measure_speed(args: argparse.Namespace) -> None:
    images = np.random.default_rng(0).random((args.batch_size, args.image_size, args.image_size, 4), "float32")
    columns = ("folded", "bfloat16", "compiled", "folded and compiled")
    print(f"\n| network | plain, samples a second | {' | '.join(columns)} | folded layers, kept |")
    print(f"| --- | ---: |{' ---: |' * (len(columns) + 1)}")
    for variant in VARIANTS:
        ways, folding = make_ways(variant, args)
        scores = {name: way(images) for name, way in ways.items()}  # compiles
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(args.rounds):
            for name, way in ways.items():
                start = time.perf_counter()
                way(images)
                seconds[name].append(time.perf_counter() - start)
        median = {name: np.median(values) for name, values in seconds.items()}
        ratios = [f"{median['plain'] / median[name]:.2f}" if name in median else "-" for name in columns]
        speed = args.batch_size / median["plain"]
        print(f"| {variant} | {speed:.0f} | {' | '.join(ratios)} | {folding} |", flush=True)
        differences = {name: np.abs(np.float32(scores[name]) - scores["plain"]).max() for name in ways}
        print(
            "<!-- largest difference of scores: " + ", ".join(f"{k} {v:.1e}" for k, v in differences.items()) + " -->"
        )


def make_ways(variant: str, args: argparse.Namespace) -> tuple[dict[str, Callable[[np.ndarray], np.ndarray]], str]:
    """The same network in several ways, and what could be folded of it."""
    plain = make_model(variant, args.image_size)
    ways = {"plain": plain, "compiled": keras.models.clone_model(plain)}
    ways["compiled"].compile(jit_compile=True)
    keras.config.set_dtype_policy("mixed_bfloat16")
    ways["bfloat16"] = make_model(variant, args.image_size)
    keras.config.set_dtype_policy("float32")
    for name in ("compiled", "bfloat16"):
        ways[name].set_weights(plain.get_weights())
    folding = "no BatchNorm"
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in plain.layers):
        folded = keras_hpa.fold_batch_norm(plain)
        ways["folded"] = folded.model
        ways["folded and compiled"] = keras_hpa.fold_batch_norm(plain).model
        ways["folded and compiled"].compile(jit_compile=True)
        folding = f"{len(folded.folded)}, {len(folded.kept)}"
    return {name: model.predict_on_batch for name, model in ways.items()}, folding


def make_model(variant: str, size: int) -> keras.Model:
    """A network whose normalisation does something: its statistics and scales are random, some scales negative."""
    keras.utils.set_random_seed(0)
    model = keras_hpa.GapNet((size, size, 4), 28, variant=variant)
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            channels = layer.gamma.shape[0]
            layer.set_weights([rng.normal(1, 0.5, channels), *rng.uniform(0.1, 1, (3, channels))])
    return model


def measure_memory(args: argparse.Namespace) -> None:
    few, many = (run_to_its_end(count, args) for count in args.samples)
    print(f"\npeak memory: {few['memory_mb']:.0f} MB for {args.samples[0]:,} samples, ", end="")
    print(f"{many['memory_mb']:.0f} MB for {args.samples[1]:,}: {many['memory_mb'] / few['memory_mb']:.3f} times")


def measure_resume(args: argparse.Namespace) -> None:
    count = args.samples[1]
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = Path(folder) / "whole", Path(folder) / "killed"
        run_to_its_end(count, args, whole)
        done = []
        for share in (0.2, 0.5, 0.8):
            process = subprocess.Popen(command(count, args, killed), stdout=subprocess.DEVNULL)
            while process.poll() is None and num_done(killed) < share * count:
                time.sleep(0.01)
            process.kill()
            process.wait()
            done.append(num_done(killed))
        run_to_its_end(count, args, killed)
        one, other = (np.load(path / "scores.npy") for path in (whole, killed))
    same = "equals the whole run to the last bit" if np.array_equal(one, other) else "DIFFERS from the whole run"
    print(f"\nresume: {count:,} samples, killed after {', '.join(map(str, done))}: {same}")
    print(f"<!-- largest difference {np.abs(one - other).max():.1e} -->")


def num_done(folder: Path) -> int:
    path = folder / "scores.npy"
    return int(np.isfinite(np.load(path)).all(axis=1).sum()) if path.exists() else 0


def run_to_its_end(count: int, args: argparse.Namespace, path: Path | None = None) -> dict[str, float]:
    answer = subprocess.run(command(count, args, path), check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(answer.stdout.splitlines()[-1])


def command(count: int, args: argparse.Namespace, path: Path | None) -> list[str]:
    sizes = ["--image-size", str(args.image_size), "--batch-size", str(args.batch_size)]
    own = [sys.executable, __file__, *sizes, "--predict", str(count)]
    return own if path is None else [*own, "--path", str(path)]


def predict(args: argparse.Namespace) -> None:
    sequence = keras_hpa.MultiChannelSequence(Noise(args.predict, args.image_size), batch_size=args.batch_size)
    keras_hpa.predict_scores(make_model("light", args.image_size), sequence, path=args.path, verbose=0)
    print(json.dumps({"memory_mb": peak_memory_mb()}))


def peak_memory_mb() -> float:
    """Of this process alone: on Linux `ru_maxrss` begins with the peak of the process that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Noise:
    """A source of any number of samples that holds none of them."""

    channels = keras_hpa.atlas.CHANNELS

    def __init__(self, num_samples: int, size: int):
        self.ids = tuple(f"sample {index}" for index in range(num_samples))
        self.size = size

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> np.ndarray:
        return np.random.default_rng(index).integers(0, 256, (self.size, self.size, 4), "uint8")


if __name__ == "__main__":
    main()
