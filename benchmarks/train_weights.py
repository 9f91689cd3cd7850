"""Trains GapNet on drawings alone. What it gave so far is not good enough to come with the package.

    python benchmarks/train_weights.py --output run                  windows of fields; the same command goes on
    python benchmarks/train_weights.py --output run --fields 5400 --field-size 128 --size 128 --closest 1 \\
        --protein-only 0 --steps 5000                                whole fields

Nobody's pictures are in it: `SyntheticAtlas` draws fields, and the network sees windows of them, turned, brighter and
darker, a share of them in the protein's stain alone. One rate, nothing averaged: an ingredient goes in when it pays.
`benchmarks/weights.py` says what the weights know of real cells.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import keras
import numpy as np
import numpy.typing as npt

import keras_hpa

_BATCH_SIZE = 32
_STEPS_AN_EPOCH = 200
_PROTEIN = keras_hpa.atlas.CHANNELS.index("green")


class Window:
    """Cuts a square window at one of many scales, the brightest in protein of three, and resizes it.

    Args:
        size: pixels a side afterwards.
        closest: the side of the smallest window as a part of the field's; 1 for the whole field.
    """

    def __init__(self, size: int, closest: float) -> None:
        self.size, self.closest = size, closest

    def __call__(self, image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        if self.closest < 1:
            image = max((self._cut(image, rng) for _ in range(3)), key=lambda window: window[::3, ::3, _PROTEIN].mean())
        smaller = len(image) > self.size
        shape, how = (self.size, self.size), cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return cv2.resize(np.ascontiguousarray(image), shape, interpolation=how)

    def _cut(self, image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        side = round(len(image) * self.closest ** rng.random())
        top, left = rng.integers(len(image) - side + 1, size=2)
        return image[top : top + side, left : left + side]


class ProteinOnly:
    """Darkens all channels but the protein in a share of the images."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, image: npt.NDArray, rng: np.random.Generator) -> npt.NDArray:
        if rng.random() < self.share:
            protein = image[..., _PROTEIN].copy()
            image = np.zeros_like(image)
            image[..., _PROTEIN] = protein
        return image


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of drawings, backup and weights")
    parser.add_argument("--seed", type=int, default=0, help="of the weights' start and the order of drawings")
    parser.add_argument("--fields", type=int, default=5000)
    parser.add_argument("--field-size", type=int, default=384, help="pixels a side of a drawing")
    parser.add_argument("--size", type=int, default=96, help="pixels a side of what the network sees")
    parser.add_argument("--steps", type=int, default=6000, help=f"in epochs of {_STEPS_AN_EPOCH}")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--closest", type=float, default=1 / 6, help="the smallest window, as a part of a field's side")
    parser.add_argument("--protein-only", type=float, default=0.3, help="the share of windows with the protein alone")
    parser.add_argument("--gain", type=float, default=0.5, help="of ChannelGain")
    parser.add_argument("--filters", type=int, nargs="+", help="of GapNet's blocks")
    parser.add_argument("--drawings", type=Path, help="drawings made before; else in --output")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(args.seed)

    atlas = keras_hpa.SyntheticAtlas(args.fields, image_size=args.field_size, balance="uniform", seed=101)
    samples = atlas.samples.packed(args.drawings or args.output / "drawings")
    batches = samples.batches(
        batch_size=_BATCH_SIZE,
        shuffle=True,
        seed=args.seed,
        batches_per_epoch=_STEPS_AN_EPOCH,
        augment=[
            Window(args.size, args.closest),
            "dihedral",
            keras_hpa.ChannelGain(args.gain, offset=0.0),
            ProteinOnly(args.protein_only),
        ],
        dtype="source",
        workers=1,
    )
    model = keras_hpa.GapNet(
        (args.size, args.size, 4), len(samples.class_names), filters=args.filters, input_dtype="uint8"
    )
    model.compile(
        keras.optimizers.Adam(args.learning_rate),
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
    model.save_weights(args.output / "drawn.weights.h5")


if __name__ == "__main__":
    main()
