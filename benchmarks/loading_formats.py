"""How fast files as laboratories have them are read, beside their decoder alone in one process per core.

    python benchmarks/loading_formats.py

Drawn fields of five channels are written in each format. A loader reads them in batches of 32 as integers; the floor
decodes them into shared memory and does nothing else. The two take turns; a ratio is of two neighbours.
"""

import argparse
import gzip
import io
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import imagecodecs
import numpy as np
import tifffile
from other_loaders import BATCH, Floor

import keras_hpa

NUM_CHANNELS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--image-size", type=int, default=512)
    parser.add_argument("--passes", type=int, default=9)
    parser.add_argument("--only", nargs="*", help="parts of the names of the formats")
    arguments = parser.parse_args()
    images = draw(arguments.samples, arguments.image_size)
    print("| format | ours, samples a second | of its floor | passes |\n| --- | ---: | ---: | ---: |")
    for name, (write, read, suffix) in FORMATS.items():
        if arguments.only and not any(part in name for part in arguments.only):
            continue
        with tempfile.TemporaryDirectory() as folder:
            ids = [f"{number:04}" for number in range(len(images))]
            paths = [Path(folder, f"{one}.{suffix}") for one in ids]
            for path, image in zip(paths, images, strict=True):
                write(path, image)
            channels = [f"channel{number}" for number in range(1, NUM_CHANNELS + 1)]
            source = keras_hpa.ChannelStacks(folder, ids, pattern=f"{{id}}.{suffix}", channels=channels)
            batches = keras_hpa.MultiChannelSequence(source, batch_size=BATCH, dtype="source")
            floor = Floor(paths, np.uint16, images.shape[1:], lambda path, out, read=read: cv2.merge(read(path), out))
            ours, ratios = measure(batches, floor, arguments.passes)
        print(
            f"| {name} | {np.median(ours):,.0f} | {np.median(ratios):.2f} | {ratios.min():.2f} to {ratios.max():.2f} |"
        )


def measure(batches: keras_hpa.MultiChannelSequence, floor: Floor, passes: int) -> tuple[np.ndarray, np.ndarray]:
    """Samples a second, and the ratio to the floor, of each pass."""
    speeds = []
    for number in range(passes + 1):
        speeds.append([])
        for read in (lambda: sum(len(batch) for batch in batches), floor.read):
            start = time.perf_counter()
            num_samples = read()
            speeds[number].append(num_samples / (time.perf_counter() - start))
    ours, floors = np.array(speeds[1:]).T  # the first pass warms up
    return ours, ours / floors


def draw(num_samples: int, size: int) -> np.ndarray:
    """Drawn fields as a camera of 12 bits gives them: the four channels of a drawing and one of them again, noisy."""
    atlas = keras_hpa.SyntheticAtlas(min(num_samples, 16), image_size=(size, size))
    rng = np.random.default_rng(0)
    images = []
    for index in range(num_samples):
        image = atlas.read(index % len(atlas)).astype(np.uint16) * 12
        image = np.concatenate([image, image[..., :1]], axis=-1)
        images.append(image + rng.integers(60, 100, image.shape, np.uint16))
    return np.stack(images)


def tiff(**options: object) -> tuple[Callable, Callable, str]:
    def write(path: Path, image: np.ndarray) -> None:
        tifffile.imwrite(path, np.moveaxis(image, -1, 0), photometric="minisblack", **options)

    return write, lambda path: [*tifffile.imread(path, maxworkers=1)], "tif"


def gzipped() -> tuple[Callable, Callable, str]:
    def write(path: Path, image: np.ndarray) -> None:
        file = io.BytesIO()
        tifffile.imwrite(file, np.moveaxis(image, -1, 0), photometric="minisblack")
        path.write_bytes(gzip.compress(file.getvalue(), compresslevel=6))

    def read(path: Path) -> list[np.ndarray]:
        return [*tifffile.imread(io.BytesIO(imagecodecs.gzip_decode(path.read_bytes())))]

    return write, read, "tif.gz"


FORMATS = {
    "16-bit TIFF stack, deflate": tiff(compression="zlib"),
    "16-bit TIFF stack, LZW": tiff(compression="lzw"),
    "16-bit TIFF stack, not compressed": tiff(),
    "OME-TIFF in tiles, deflate": tiff(compression="zlib", tile=(256, 256), ome=True, metadata={"axes": "CYX"}),
    "gzipped TIFF stack": gzipped(),
}


if __name__ == "__main__":
    main()
