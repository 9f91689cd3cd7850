"""What else reads the same files: the report's loader, those of TensorFlow and Torch, and nothing but decoding."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing import shared_memory
from pathlib import Path

import numpy as np

BATCH = 32
NUM_CORES = len(os.sched_getaffinity(0))
SHAPE = (512, 512, 4)


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
    """Nothing but decoding, by `decode(sample, out)`, in one process per core, into shared memory of a few batches."""

    def __init__(self, samples: list, dtype: type, shape: tuple[int, ...] = SHAPE, decode: Callable | None = None):
        self.num_samples = len(samples)
        # What is written is overwritten in turn, as a loop over batches would: otherwise pages are paid for, not PNGs.
        self.shape = (4 * BATCH, *shape)
        size = int(np.prod(self.shape)) * np.dtype(dtype).itemsize
        self.memory = shared_memory.SharedMemory(create=True, size=size)
        context = multiprocessing.get_context("fork")
        self.start, self.end = context.Barrier(NUM_CORES + 1), context.Barrier(NUM_CORES + 1)
        for core in range(NUM_CORES):
            arguments = (core, samples, dtype, decode or decode_pngs)
            context.Process(target=self._decode_forever, args=arguments, daemon=True).start()

    def read(self) -> int:
        self.start.wait()
        self.end.wait()
        return self.num_samples

    def __del__(self) -> None:
        self.memory.close()
        self.memory.unlink()

    def _decode_forever(self, core: int, samples: list, dtype: type, decode: Callable) -> None:
        images = np.ndarray(self.shape, dtype, buffer=self.memory.buf)
        while True:
            self.start.wait()
            for index in range(core, len(samples), NUM_CORES):
                decode(samples[index], images[index % len(images)])
            self.end.wait()


def decode_pngs(paths: list[str], image: np.ndarray) -> None:
    """By the fastest decoder, a channel from each file."""
    from kornia_rs import io

    for channel, path in enumerate(paths):
        with open(path, "rb") as file:
            values = io.decode_image_png_u8(file.read(), image.shape[:2], "mono")[..., 0]
        if image.dtype == np.uint8:
            image[..., channel] = values
        else:
            np.divide(values, np.float32(255), out=image[..., channel])


def copied_batches(path: Path, num_samples: int) -> Iterator[np.ndarray]:
    images = np.memmap(path, np.uint8, "r", shape=(num_samples, *SHAPE))
    for start in range(0, num_samples, BATCH):
        yield np.array(images[start : start + BATCH])
