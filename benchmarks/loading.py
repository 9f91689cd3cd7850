"""How fast samples are read, beside what else there is: one run, passes in turn, medians, ratios.

    KERAS_HPA_DATA=... python benchmarks/loading.py

Each loader reads the same real samples in batches of 32, all of them ten times over; the loaders take turns, pass by
pass. Threads and processes are as many as there are cores. Other work on the machine slows all alike.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np

BATCH = 32
NUM_CORES = len(os.sched_getaffinity(0))
SHAPE = (512, 512, 4)
CHANNELS = ("red", "green", "blue", "yellow")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="passes of each loader")
    parser.add_argument("--repeats", type=int, default=10, help="how often a pass goes over the 60 samples")
    parser.add_argument("--only", nargs="*", help="parts of the names of the loaders to measure")
    parser.add_argument("--memory", choices=MEMORY, help="only read, and print the peak of memory")
    arguments = parser.parse_args()
    root = Path(os.environ["KERAS_HPA_DATA"], "atlas_sample", "train")
    paths = [[str(path) for path in sample] for sample in sample_paths(root)] * arguments.repeats
    with tempfile.TemporaryDirectory() as folder:
        if arguments.memory:
            print_peak(arguments.memory, root, paths, folder)
            return
        loaders = make_loaders(root, paths, folder)
        if arguments.only:
            loaders = {name: read for name, read in loaders.items() if any(part in name for part in arguments.only)}
        print_tables(measure(loaders, arguments.rounds))
    if not arguments.only:
        print_memory()


def sample_paths(root: Path) -> list[list[Path]]:
    ids = sorted(path.name.removesuffix("_red.png") for path in root.glob("*_red.png"))
    return [[root / f"{sample_id}_{channel}.png" for channel in CHANNELS] for sample_id in ids]


def measure(loaders: dict[str, Callable[[], int]], rounds: int) -> dict[str, float]:
    """Samples a second: of each loader, the median over its passes."""
    seconds: dict[str, list[float]] = {name: [] for name in loaders}
    for number in range(rounds + 1):
        for name, read in loaders.items():
            start = time.perf_counter()
            num_samples = read()
            if number:  # the first pass warms up
                seconds[name].append((time.perf_counter() - start) / num_samples)
        print(f"round {number} of {rounds}", file=sys.stderr)
    return {name: 1 / float(np.median(times)) for name, times in seconds.items()}


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
    return loaders


def repeated(root: Path, num_samples: int) -> object:
    import keras_hpa

    class Repeated:
        """The same files over and over, under other ids."""

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


def report_batches(paths: list[list[str]]) -> Iterator[np.ndarray]:
    """What the report's generator does: open each channel, stack, resize, divide, one sample after the other."""
    import cv2
    from PIL import Image

    for start in range(0, len(paths), BATCH):
        batch = []
        for sample in paths[start : start + BATCH]:
            image = np.stack([np.array(Image.open(path)) for path in sample], -1)
            batch.append(np.divide(cv2.resize(image, SHAPE[:2]), 255))
        yield np.array(batch, np.float32)


def tf_data(paths: list[list[str]]) -> object:
    import tensorflow as tf

    def read(sample):
        channels = [tf.io.decode_png(tf.io.read_file(sample[c]), channels=1) for c in range(4)]
        return tf.cast(tf.concat(channels, -1), tf.float32) / 255

    return tf.data.Dataset.from_tensor_slices(paths).map(read, tf.data.AUTOTUNE).batch(BATCH).prefetch(tf.data.AUTOTUNE)


def make_torch_loader(paths: list[list[str]]) -> object | None:
    try:
        from torch.utils.data import DataLoader, Dataset
    except ImportError:
        return None
    import cv2

    class Files(Dataset):
        def __len__(self) -> int:
            return len(paths)

        def __getitem__(self, index: int) -> np.ndarray:
            cv2.setNumThreads(0)
            image = cv2.merge([cv2.imread(path, cv2.IMREAD_UNCHANGED) for path in paths[index]])
            return image.astype(np.float32) / 255

    return DataLoader(Files(), batch_size=BATCH, num_workers=2)


class Floor:
    """Nothing but decoding, with the fastest decoder, in one process per core, into shared memory of a few batches."""

    def __init__(self, paths: list[list[str]], dtype: type):
        self.num_samples = len(paths)
        # What is written is overwritten in turn, as a loop over batches would: otherwise pages are paid for, not PNGs.
        rows = 4 * BATCH
        self.memory = shared_memory.SharedMemory(
            create=True, size=rows * int(np.prod(SHAPE)) * np.dtype(dtype).itemsize
        )
        context = multiprocessing.get_context("fork")
        self.start, self.end = context.Barrier(NUM_CORES + 1), context.Barrier(NUM_CORES + 1)
        for core in range(NUM_CORES):
            arguments = (self.memory.name, paths, rows, dtype, core, self.start, self.end)
            context.Process(target=decode_forever, args=arguments, daemon=True).start()

    def read(self) -> int:
        self.start.wait()
        self.end.wait()
        return self.num_samples

    def __del__(self) -> None:
        self.memory.close()
        self.memory.unlink()


def decode_forever(name, paths, rows, dtype, core, start, end) -> None:
    from kornia_rs import io

    memory = shared_memory.SharedMemory(name)
    images = np.ndarray((rows, *SHAPE), dtype, buffer=memory.buf)
    while True:
        start.wait()
        for index in range(core, len(paths), NUM_CORES):
            for channel, path in enumerate(paths[index]):
                with open(path, "rb") as file:
                    image = io.decode_image_png_u8(file.read(), SHAPE[:2], "mono")[..., 0]
                if dtype is np.uint8:
                    images[index % rows, ..., channel] = image
                else:
                    np.divide(image, np.float32(255), out=images[index % rows, ..., channel])
        end.wait()


def copied_batches(path: Path, num_samples: int) -> Iterator[np.ndarray]:
    images = np.memmap(path, np.uint8, "r", shape=(num_samples, *SHAPE))
    for start in range(0, num_samples, BATCH):
        yield np.array(images[start : start + BATCH])


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


def fitting(batches: object, are_integers: bool) -> Callable[[], int]:
    """`fit` with a model that looks at one pixel."""
    import keras

    inputs = keras.Input(SHAPE, dtype="uint8" if are_integers else "float32")
    pixel = keras.layers.Rescaling(1 / 255)(inputs[:, 0, 0, :])
    model = keras.Model(inputs, keras.layers.Dense(28)(pixel))
    model.compile("sgd", "mse")
    num_samples = len(batches.source) if hasattr(batches, "source") else batches.num_samples

    def read() -> int:
        model.fit(batches, verbose=0)
        return num_samples

    return read


FLOOR, COPY = "floor: bare decoding, integers", "bare copy out of a memory map"
CEILING = "fit: constant batches"
TARGETS = [
    ("cold, integers", "ours: cold, integers", "the report's loader", "report's loader", 5),
    ("cold, float32", "ours: cold, float32", "the report's loader", "report's loader", 3.5),
    ("cold, float32", "ours: cold, float32", "`tf.data`", "tf.data", 2),
    ("cold, integers", "ours: cold, integers", "the floor", FLOOR, 0.7),
    ("packed, integers", "ours: packed, integers", "a bare copy out of a memory map", COPY, 0.8),
    ("packed, `fit`, integers", "fit: packed, integers", "`fit`, constant batches", f"{CEILING}, integers", 0.85),
    ("packed, `fit`, float32", "fit: packed, float32", "`fit`, constant batches", f"{CEILING}, float32", 0.85),
]


def print_tables(speeds: dict[str, float]) -> None:
    print("| loader | samples a second |\n| --- | ---: |")
    for name, speed in speeds.items():
        print(f"| {name} | {speed:,.0f} |")
    print("\n| ours | against | at least | measured |\n| --- | --- | ---: | ---: |")
    for ours, our_name, other, other_name, least in TARGETS:
        if our_name in speeds and other_name in speeds:
            print(f"| {ours} | {other} | {least} | {speeds[our_name] / speeds[other_name]:.2f} |")


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
    before, peak = anonymous_memory(), 0

    def watch() -> None:
        nonlocal peak
        while True:
            peak = max(peak, anonymous_memory())
            time.sleep(0.002)

    threading.Thread(target=watch, daemon=True).start()
    count(iter(keras_hpa.MultiChannelSequence(source, batch_size=BATCH, dtype="source")))
    print(peak - before)


def anonymous_memory() -> int:
    """In MB; without pages of files, which the kernel takes back when it needs them."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) // 1024


if __name__ == "__main__":
    main()
