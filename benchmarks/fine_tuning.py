"""What weights, or measures of texture, are worth with few images: networks learn real HEp-2 cells, at equal steps.

    KERAS_HPA_DATA=FOLDER python benchmarks/fine_tuning.py    the package's, or those of a file that is named
    ... --only random texture --rates 1e-3

40 or 200 cells of each of six patterns are learnt, cells from other blocks of ids are judged. Every network takes as
many steps of 32 cells, turned and flipped, and the one of a few learning rates that suits it best in the first seed; it
warms up and falls to zero. SqueezeNet sees cells at 160 pixels, since it was trained on larger images.
"""

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import train_weights
from sklearn.metrics import f1_score
from squeezenet import squeezenet
from trials import warm_up_and_cosine, with_error
from weights import Hep2, protein_only

import keras_hpa

_BATCH_SIZE = 32
_CELLS_A_CLASS = (40, 200)


def gapnet(num_classes: int, weights: str | None = None, **more: Any) -> keras.Model:
    """The network of `train_weights.py`, for bytes in the atlas's channels and one class a cell."""
    options = {"input_dtype": "uint8", "batch_norm_momentum": 0.9, "classifier_activation": "softmax"}
    return train_weights.build(num_classes, weights=weights, weights_num_classes=28, **options, **more)


def on_squeezenet(root: Path, size: int, num_classes: int) -> keras.Model:
    """SqueezeNet under a dense layer, for the same bytes."""
    inputs = keras.Input((size, size, 4), dtype="uint8")
    protein = keras_hpa.atlas.CHANNELS.index("green")
    x = squeezenet(root, size)(keras.ops.cast(inputs[..., protein : protein + 1], "float32"))
    x = keras_hpa.WarmUpBatchNormalization(momentum=0.9)(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, activation="softmax")(x))


def fine_tune(model: keras.Model, images: np.ndarray, labels: np.ndarray, rate: float, steps: int, seed: int) -> None:
    num_classes = model.output_shape[-1]
    batches = keras_hpa.MultiChannelSequence(
        keras_hpa.ArraySource(images),
        np.eye(num_classes, dtype="uint8")[labels],
        batch_size=_BATCH_SIZE,
        shuffle=True,
        seed=seed,
        augment="dihedral",
        batches_per_epoch=steps,
        dtype="source",
        workers=1,
    )
    model.compile(keras.optimizers.Adam(warm_up_and_cosine(rate, steps)), "categorical_crossentropy")
    model.fit(batches, verbose=0)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="?", default="drawn", help="a weights file in place of the package's")
    parser.add_argument("--only", nargs="+", choices=("random", "texture", "weights", "squeezenet"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--cells", type=int, nargs="+", default=_CELLS_A_CLASS, help="cells a class")
    parser.add_argument("--rates", type=float, nargs="+", default=(3e-4, 1e-3, 3e-3), help="tried with the first seed")
    args = parser.parse_args(argv)
    root = Path(os.environ["KERAS_HPA_DATA"])
    cells = Hep2(root)
    images, num_classes = protein_only(cells.images), len(np.unique(cells.labels))
    size = images.shape[1]
    networks: dict[str, Callable[[], keras.Model]] = {
        "random": lambda: gapnet(num_classes, texture=()),
        "texture": lambda: gapnet(num_classes),
        "weights": lambda: gapnet(num_classes, args.weights),
        "squeezenet": lambda: on_squeezenet(root, size, num_classes),
    }
    networks = {name: networks[name] for name in args.only or networks}

    def macro_f1(build: Callable[[], keras.Model], num_cells: int, rate: float, seed: int) -> float:
        chosen, judged = cells.split(num_cells, seed)
        keras.utils.set_random_seed(seed)
        model = build()
        fine_tune(model, images[chosen], cells.labels[chosen], rate, args.steps, seed)
        predicted = model.predict(images[judged], batch_size=64, verbose=0).argmax(-1)
        return float(f1_score(cells.labels[judged], predicted, average="macro"))

    print(f"macro-F1 after {args.steps} steps, {args.seeds} seeds | cells a class | rate | macro-F1 | - random | s")
    random: dict[int, np.ndarray] = {}
    for name, build in networks.items():
        for num_cells in args.cells:
            began = time.perf_counter()
            first = {rate: macro_f1(build, num_cells, rate, 0) for rate in args.rates}
            rate = max(first, key=lambda rate: first[rate])
            found = np.array([first[rate], *(macro_f1(build, num_cells, rate, seed) for seed in range(1, args.seeds))])
            gain = found - random.setdefault(num_cells, found)
            took = f"{time.perf_counter() - began:.0f}"
            print(name, num_cells, rate, with_error(found), with_error(gain, "+.3f"), took, sep=" | ", flush=True)


if __name__ == "__main__":
    main()
