"""What each piece of augmentation costs beside decoding the image that it changes.

    python benchmarks/augmentation.py

Drawn fields of 512x512, the four channels as PNGs, are decoded in one thread; each piece then changes one that is
decoded, as bytes and as floats of 0 to 1. All take turns; times are medians.
"""

import argparse
import tempfile
import time

import cv2
import numpy as np

import keras_hpa

CHANNELS = keras_hpa.atlas.CHANNELS
PIECES = {
    '"dihedral"': lambda image, rng: np.ascontiguousarray(keras_hpa.apply_symmetry(image, int(rng.integers(8)))),
    "ChannelGain()": keras_hpa.ChannelGain(),
    "RandomCrop(384)": keras_hpa.RandomCrop(384),
    "RandomAffine()": keras_hpa.RandomAffine(),
    "ChannelShift()": keras_hpa.ChannelShift(),
    "RandomBlur()": keras_hpa.RandomBlur(),
    "RandomNoise()": keras_hpa.RandomNoise(),
    'ChannelDropout(channels, keep=["green"])': keras_hpa.ChannelDropout(CHANNELS, keep=["green"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--image-size", type=int, default=512)
    parser.add_argument("--passes", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    drawn = keras_hpa.SyntheticAtlas(arguments.samples, image_size=arguments.image_size)
    with tempfile.TemporaryDirectory() as folder:
        drawn.save(folder)
        source = keras_hpa.ChannelFiles(f"{folder}/train", drawn.ids, channels=CHANNELS)
        times = measure(source, arguments.passes)
    decoding = np.median(times.pop("decoding"))
    print(f"Decoding a sample: {1000 * decoding:.1f} ms\n")
    print("| piece | of decoding, bytes | of decoding, floats |\n| --- | ---: | ---: |")
    for name in PIECES:
        print(f"| {name} | {np.median(times[name, 0]) / decoding:.2f} | {np.median(times[name, 1]) / decoding:.2f} |")


def measure(source: keras_hpa.Source, passes: int) -> dict:
    """Seconds for each sample and pass."""
    times: dict = {"decoding": []} | {(name, kind): [] for name in PIECES for kind in (0, 1)}
    for number in range(passes):
        for index in range(len(source)):
            start = time.perf_counter()
            image = source.read(index)
            times["decoding"].append(time.perf_counter() - start)
            for kind, one in enumerate((image, image / np.float32(255))):
                for name, piece in PIECES.items():
                    rng = np.random.default_rng([number, index])
                    start = time.perf_counter()
                    np.ascontiguousarray(piece(one, rng))  # as it is copied into its batch
                    times[name, kind].append(time.perf_counter() - start)
    return times


if __name__ == "__main__":
    main()
