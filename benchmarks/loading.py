"""How fast samples are read, beside what else there is: one run, passes in turn, ratios, medians and their spread.

    KERAS_HPA_DATA=... python benchmarks/loading.py

Each loader reads the same real samples in batches of 32, all of them ten times over; the loaders take turns, pass by
pass. A ratio is of two loaders in one pass, so that what slows a pass slows both. Threads and processes are as many as
there are cores.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from other_loaders import BATCH, SHAPE, Floor, copied_batches, make_torch_loader, report_batches, tf_data

CHANNELS = ("red", "green", "blue", "yellow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--passes", type=int, default=9, help="of each loader")
    parser.add_argument("--repeats", type=int, default=10, help="how often a pass goes over the 60 samples")
    parser.add_argument("--quick", action="store_true", help="three passes over 180 samples")
    parser.add_argument("--only", nargs="*", help="parts of the names of the loaders to measure")
    parser.add_argument("--memory", choices=MEMORY, help="only read, and print the peak of memory")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.passes, arguments.repeats = 3, 3
    root = Path(os.environ["KERAS_HPA_DATA"], "atlas_sample", "train")
    paths = [[str(path) for path in sample] for sample in sample_paths(root)] * arguments.repeats
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            print_peak(arguments.memory, root, paths, folder)
            return
        loaders = make_loaders(root, paths, folder)
        if arguments.only:
            loaders = {name: read for name, read in loaders.items() if any(part in name for part in arguments.only)}
        print_tables(measure(loaders, arguments.passes))
        if not arguments.only:
            print_beside_gapnet(repeated(root, len(paths)), arguments.passes)
    if not arguments.only:
        print_memory()


def sample_paths(root: Path) -> list[list[Path]]:
    ids = sorted(path.name.removesuffix("_red.png") for path in root.glob("*_red.png"))
    return [[root / f"{sample_id}_{channel}.png" for channel in CHANNELS] for sample_id in ids]


def measure(loaders: dict[str, Callable[[], int]], passes: int) -> dict[str, np.ndarray]:
    """Samples a second: of each loader in each pass."""
    speeds: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(passes + 1):
        for name, read in loaders.items():
            start = time.perf_counter()
            num_samples = read()
            if number:  # the first pass warms up
                speeds[name].append(num_samples / (time.perf_counter() - start))
        print(f"pass {number} of {passes}", file=sys.stderr)
    return {name: np.array(of_passes) for name, of_passes in speeds.items()}


def make_loaders(root: Path, paths: list[list[str]], folder: str) -> dict[str, Callable[[], int]]:
    import keras_hpa

    source = repeated(root, len(paths))
    packed = keras_hpa.PackedSource.build(source, Path(folder, "pack"), verbose=0)
    sequences = {
        f"{name}, {kind}": keras_hpa.MultiChannelSequence(
            origin, np.zeros((len(paths), 28)), batch_size=BATCH, dtype="source" if kind == "integers" else "float32"
        )
        for name, origin in (("cold", source), ("packed", packed))
        for kind in ("integers", "float32")
    }
    loaders: dict[str, Callable[[], int]] = {
        "report's loader": lambda: count(report_batches(paths)),
        "tf.data": counting(tf_data(paths)),
        "floor: bare decoding, integers": Floor(paths, np.uint8).read,
        "floor: bare decoding, float32": Floor(paths, np.float32).read,
        "bare copy out of a memory map": lambda: count(copied_batches(Path(folder, "pack", "images.bin"), len(paths))),
    }
    torch_loader = make_torch_loader(paths)
    if torch_loader is not None:
        loaders["Torch DataLoader, two workers"] = counting(torch_loader)
    loaders |= {f"ours: {name}": counting(sequence) for name, sequence in sequences.items()}
    loaders |= {f"fit: {name}": fitting(sequence, name.endswith("integers")) for name, sequence in sequences.items()}
    for kind in ("integers", "float32"):
        constant = Constant(len(paths), np.uint8 if kind == "integers" else np.float32)
        loaders[f"fit: constant batches, {kind}"] = fitting(constant, kind == "integers")
    name = "ours: cold, integers"
    loaders |= waiting_as_long(name, loaders[name], sequences["cold, integers"])
    return loaders


def repeated(root: Path, num_samples: int) -> object:
    import keras_hpa

    class Repeated:
        """The same files over and over, under other ids."""

        reads_in_processes = True

        def __init__(self) -> None:
            ids = [sample[0].name.removesuffix("_red.png") for sample in sample_paths(root)]
            self.files = keras_hpa.ChannelFiles(root, ids, channels=keras_hpa.atlas.CHANNELS)
            self.ids = [f"{number}" for number in range(num_samples)]
            self.channels = self.files.channels

        def __len__(self) -> int:
            return num_samples

        def read(self, index: int) -> np.ndarray:
            return self.files.read(index % len(self.files))

    return Repeated()


def counting(batches: object) -> Callable[[], int]:
    return lambda: count(iter(batches))


def count(batches: Iterator) -> int:
    return sum(len(batch[0] if isinstance(batch, (tuple, list)) else batch) for batch in batches)


class Constant:
    """The ceiling: batches that are there already."""

    def __new__(cls, num_samples: int, dtype: type):
        import keras

        images, labels = np.zeros((BATCH, *SHAPE), dtype), np.zeros((BATCH, 28), np.float32)

        class Batches(keras.utils.PyDataset):
            batch_size = BATCH

            def __len__(self) -> int:
                return -(-num_samples // BATCH)

            def __getitem__(self, index: int):
                rows = min(BATCH, num_samples - index * BATCH)
                return images[:rows], labels[:rows]

        dataset = Batches()
        dataset.num_samples = num_samples
        return dataset


def fitting(batches: object, are_integers: bool, *callbacks: object) -> Callable[[], int]:
    """`fit` with a model that looks at one pixel."""
    import keras

    inputs = keras.Input(SHAPE, dtype="uint8" if are_integers else "float32")
    pixel = keras.layers.Rescaling(1 / 255)(inputs[:, 0, 0, :])
    model = keras.Model(inputs, keras.layers.Dense(28)(pixel))
    model.compile("sgd", "mse")
    num_samples = len(batches.source) if hasattr(batches, "source") else batches.num_samples

    def read() -> int:
        model.fit(batches, verbose=0, callbacks=list(callbacks))
        return num_samples

    return read


def waiting_as_long(name: str, read: Callable[[], int], sequence: object) -> dict[str, Callable[[], int]]:
    """The loader, and `fit` and `predict_scores` that wait off the processor, as for an accelerator, as long."""
    import keras
    from beside_work import waiting_model

    import keras_hpa

    class Waits(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            time.sleep(model.seconds)

    model = waiting_model()

    def timed() -> int:
        start = time.perf_counter()
        num_samples = read()
        model.seconds = (time.perf_counter() - start) / len(sequence)
        return num_samples

    def score() -> int:
        return len(keras_hpa.predict_scores(model, sequence, verbose=0))

    return {name: timed, WAITING: fitting(sequence, True, Waits()), SCORING: score}


REPORT, FLOOR, CEILING = "report's loader", "floor: bare decoding", "fit: constant batches"
WAITING, SCORING = "fit that waits", "predict_scores that waits"
TARGETS = [
    ("cold, integers", "ours: cold, integers", "the report's loader", REPORT, 9),
    ("cold, float32", "ours: cold, float32", "the report's loader", REPORT, 7),
    ("cold, float32", "ours: cold, float32", "`tf.data`", "tf.data", 2.5),
    ("cold, integers", "ours: cold, integers", "the floor of integers", f"{FLOOR}, integers", 0.85),
    ("cold, float32", "ours: cold, float32", "the floor of float32", f"{FLOOR}, float32", 0.75),
    ("`fit`, waiting as long as reading takes", WAITING, "cold, integers", "ours: cold, integers", 0.85),
    ("`predict_scores`, waiting as long", SCORING, "cold, integers", "ours: cold, integers", 0.85),
    ("packed, `fit`, integers", "fit: packed, integers", "`fit`, constant batches", f"{CEILING}, integers", 0.8),
    ("packed, `fit`, float32", "fit: packed, float32", "`fit`, constant batches", f"{CEILING}, float32", 0.8),
]


def print_tables(speeds: dict[str, np.ndarray]) -> None:
    print("| loader | samples a second |\n| --- | ---: |")
    for name, speed in speeds.items():
        print(f"| {name} | {np.median(speed):,.0f} |")
    print("\n| ours | against | at least | measured | passes |\n| --- | --- | ---: | ---: | ---: |")
    for ours, our_name, other, other_name, least in TARGETS:
        if our_name in speeds and other_name in speeds:
            ratios = speeds[our_name] / speeds[other_name]
            median = f"{np.median(ratios):.2f}"
            measured = median if np.median(ratios) >= least else f"**{median}**"
            print(f"| {ours} | {other} | {least} | {measured} | {ratios.min():.2f} to {ratios.max():.2f} |")


def print_beside_gapnet(source: object, passes: int) -> None:
    from beside_work import gapnet_beside_reading, workers_memory

    ratios = gapnet_beside_reading(source, passes)
    print("\n| | at most | measured | passes |\n| --- | ---: | ---: | ---: |")
    print(
        "| seconds of `fit`, GapNet at 128, over (processor seconds of reading + of the network) / cores | 1.15 "
        f"| {np.median(ratios):.2f} | {ratios.min():.2f} to {ratios.max():.2f} |"
    )
    print(f"| memory of a worker process, without batches, MB | 150 | {workers_memory()} | |")


MEMORY = ("cold", "packed")


def print_memory() -> None:
    print("\n| read | samples | more memory at the peak, MB |\n| --- | ---: | ---: |")
    for what in MEMORY:
        for repeats in (2, 10):
            command = [sys.executable, __file__, "--memory", what, "--repeats", str(repeats)]
            result = subprocess.run(command, check=True, capture_output=True, text=True)
            print(f"| {what} | {60 * repeats} | {int(result.stdout.split()[-1])} |")


def print_peak(what: str, root: Path, paths: list[list[str]], folder: str) -> None:
    import keras_hpa

    source = repeated(root, len(paths))
    if what == "packed":
        source = keras_hpa.PackedSource.build(source, Path(folder, "pack"), verbose=0)
    sequence = keras_hpa.MultiChannelSequence(source, batch_size=BATCH, dtype="source")
    before, peak = anonymous_memory(), 0

    def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, anonymous_memory())
            time.sleep(0.002)

    threading.Thread(target=watch, daemon=True).start()
    count(iter(sequence))
    print(peak - before)


def anonymous_memory() -> int:
    """In MB; without pages of files, which the kernel takes back when it needs them."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) // 1024


if __name__ == "__main__":
    main()
