"""Trains GapNet on drawings alone. What it gives is not good enough to come with the package.

    python benchmarks/train_weights.py --output run      the same command goes on where it stopped

Nobody's pictures are in it: `SyntheticAtlas` draws fields. The network sees windows of them, turned, a little out of
focus and noisy. Some hold one cell in the protein's stain alone; the others are of any scale up to the whole field, in
all stains, the protein's alone, or the protein's and the nucleus's. Each channel of each image is standardized in the
network, so that gain and background do not matter.
`benchmarks/weights.py` says what the weights know of real cells.
"""

import argparse
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import h5py
import keras
import numpy as np
import numpy.typing as npt
from trials import warm_up_and_cosine

import keras_hpa

_BATCH_SIZE = 32
_STEPS_AN_EPOCH = 200
_FIELD = 384  # pixels a side of a drawing
_PROTEIN, _NUCLEUS = (keras_hpa.atlas.CHANNELS.index(color) for color in ("green", "blue"))
FILTERS = (64, 128, 256)


def build(num_classes: int, filters: Sequence[int] = FILTERS, **options: Any) -> keras.Model:
    """The network that the weights are for; it takes floats of any size."""
    return keras_hpa.GapNet(
        (None, None, len(keras_hpa.atlas.CHANNELS)),
        num_classes,
        filters=filters,
        preprocessing=keras_hpa.ImageStandardization(),
        dropout=0.0,
        head_dropout=(0.0, 0.0),
        **options,
    )


def to_half_precision(source: Path, target: Path) -> str:
    """Copies a weights file with float16 in place of float32, half its size; gives the SHA-256 of the copy."""
    with h5py.File(source) as whole, h5py.File(target, "w") as half:

        def copy(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Group):
                copied = half.require_group(name)
            else:
                values = item[()]
                copied = half.create_dataset(name, data=values.astype(np.float16) if item.dtype == "f4" else values)
            copied.attrs.update(item.attrs)

        half.attrs.update(whole.attrs)
        whole.visititems(copy)
    return hashlib.sha256(target.read_bytes()).hexdigest()


class Window:
    """Cuts a square window, of one cell in one stain or of many scales, and brings each channel to its full range.

    Args:
        size: pixels a side afterwards.
        cells: the share of windows around one nucleus.
        fewer_stains: the share of the other windows that show the protein alone, or the protein and the nucleus.
    """

    def __init__(self, size: int, cells: float, fewer_stains: float) -> None:
        self.size, self.cells, self.fewer_stains = size, cells, fewer_stains

    def __call__(self, field: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        cell = rng.random() < self.cells
        if cell:
            side = round(36 * (120 / 36) ** rng.random())
            window = max((_cut(field, side, rng) for _ in range(6)), key=_nucleus_in_the_middle)
        else:
            sides = len(field) * (1 / 6) ** rng.random(3)
            window = max((_cut(field, round(side), rng) for side in sides), key=_protein)
        how = cv2.INTER_AREA if len(window) > self.size else cv2.INTER_LINEAR
        small = cv2.resize(np.ascontiguousarray(window), (self.size, self.size), interpolation=how).astype(np.float32)
        low, high = small.min(axis=(0, 1)), small.max(axis=(0, 1))
        full = (small - low) * (235 / np.maximum(high - low, 15))
        share = 0.0 if cell else rng.random()
        if share < self.fewer_stains:
            stains = [_PROTEIN] if share < self.fewer_stains / 2 else [_PROTEIN, _NUCLEUS]
            full *= np.isin(np.arange(full.shape[-1]), stains)
        return np.rint(full).astype(np.uint8)


def _cut(field: npt.NDArray[np.uint8], side: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    top, left = rng.integers(len(field) - side + 1, size=2)
    return field[top : top + side, left : left + side]


def _protein(window: npt.NDArray[np.uint8]) -> float:
    return float(window[::3, ::3, _PROTEIN].mean())


def _nucleus_in_the_middle(window: npt.NDArray[np.uint8]) -> float:
    third = len(window) // 3
    nucleus = window[..., _NUCLEUS]
    middle = nucleus[third : 2 * third : 2, third : 2 * third : 2]
    return float(middle.mean() - nucleus[:: third // 2, :: third // 2].mean())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of drawings, backup and weights")
    parser.add_argument("--seed", type=int, default=0, help="of the weights' start and the order of drawings")
    parser.add_argument("--fields", type=int, default=5000)
    parser.add_argument("--size", type=int, default=80, help="pixels a side of what the network sees")
    parser.add_argument("--steps", type=int, default=16000, help=f"in epochs of {_STEPS_AN_EPOCH}")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="after the warm-up; it falls to zero")
    parser.add_argument("--cells", type=float, default=0.25, help="the share of windows of one cell, protein alone")
    parser.add_argument("--fewer-stains", type=float, default=0.3, help="the share of others without all stains")
    parser.add_argument("--blur", type=float, default=1.0, help="of RandomBlur, in pixels")
    parser.add_argument("--noise", type=float, default=0.05, help="of RandomNoise, read and shot")
    parser.add_argument("--filters", type=int, nargs="+", default=FILTERS, help="of GapNet's blocks")
    parser.add_argument("--drawings", type=Path, help="drawings made before; else in --output")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(args.seed)

    atlas = keras_hpa.SyntheticAtlas(args.fields, image_size=_FIELD, balance="uniform", seed=101)
    samples = atlas.samples.packed(args.drawings or args.output / "drawings")
    batches = samples.batches(
        batch_size=_BATCH_SIZE,
        shuffle=True,
        seed=args.seed,
        batches_per_epoch=_STEPS_AN_EPOCH,
        augment=[
            Window(args.size, args.cells, args.fewer_stains),
            "dihedral",
            keras_hpa.RandomBlur(args.blur),
            keras_hpa.RandomNoise(args.noise, args.noise),
        ],
        workers=1,
    )
    model = build(len(samples.class_names), args.filters)
    model.compile(
        keras.optimizers.Adam(warm_up_and_cosine(args.learning_rate, args.steps, warm_up=0.05)),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(multi_label=True, name="auc")],
    )
    backup = keras_hpa.TrainingBackup(args.output / "backup", settings=vars(args) | {"output": "", "drawings": ""})
    model.fit(
        batches,
        epochs=args.steps // _STEPS_AN_EPOCH,
        initial_epoch=backup.restore(model),
        callbacks=[backup],
        verbose=2,
    )
    trained = build(len(samples.class_names), args.filters)  # without an optimizer, whose moments would be saved too
    trained.set_weights(model.get_weights())
    trained.save_weights(args.output / "single.weights.h5")
    digest = to_half_precision(args.output / "single.weights.h5", args.output / "drawn.weights.h5")
    print(f"{args.output / 'drawn.weights.h5'}, SHA-256 {digest}")


if __name__ == "__main__":
    main()
