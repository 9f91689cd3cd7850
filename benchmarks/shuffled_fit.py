"""How fast a default `fit`, which asks for shuffled batches, reads beside `fit(shuffle=False)`.

    python benchmarks/shuffled_fit.py
    KERAS_BACKEND=jax python benchmarks/shuffled_fit.py

Drawn samples are written as PNGs, and a network of one pooling and one dense layer is fitted to them cold, so that an
epoch lasts as long as reading. The two take turns, epoch by epoch; the ratio is that of the medians.
"""

import argparse
import tempfile
import time

import keras
import numpy as np

import keras_hpa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=96)
    parser.add_argument("--image-size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=9, help="epochs of each")
    arguments = parser.parse_args()
    size = (arguments.image_size, arguments.image_size)
    with tempfile.TemporaryDirectory() as folder:
        keras_hpa.SyntheticAtlas(arguments.samples, image_size=size).save(folder)
        samples = keras_hpa.load_kaggle(folder)
        batches = samples.batches(image_size=size, batch_size=8, shuffle=True, workers=2, dtype="source")
        pooling = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(samples.labels.shape[1], "sigmoid")]
        model = keras.Sequential([keras.Input((*size, 4), dtype="uint8"), keras_hpa.ScaleIntegers(), *pooling])
        model.compile("sgd", "binary_crossentropy")
        seconds: dict[bool, list[float]] = {True: [], False: []}
        for number in range(arguments.rounds + 1):
            for shuffle in (True, False) if number % 2 else (False, True):
                start = time.perf_counter()
                model.fit(batches, shuffle=shuffle, verbose=0)
                if number:  # the first compiles
                    seconds[shuffle].append(time.perf_counter() - start)
    rates = {shuffle: arguments.samples / np.array(taken) for shuffle, taken in seconds.items()}
    for shuffle, rate in rates.items():
        low, middle, high = np.quantile(rate, [0.25, 0.5, 0.75])
        print(f"shuffle={shuffle}: {middle:.0f} samples a second (quartiles {low:.0f} to {high:.0f})")
    print(f"{keras.backend.backend()}: {np.median(rates[True]) / np.median(rates[False]):.3f} of the speed")


if __name__ == "__main__":
    main()
