"""Trains the weights "drawn" of GapNet, which come with the package, on drawings alone.

    python benchmarks/train_weights.py --output run                      the same command goes on where it stopped
    python benchmarks/train_weights.py --output tidy --without haze uneven stretched    what these are worth

Nobody's pictures are in it: `SyntheticAtlas` draws fields. The network sees windows of them at many scales, turned, in
all stains, the protein's alone, or the protein's and the nucleus's. Drawings are tidier than cells, so windows are
stretched, a haze of unspecific staining lies over the protein, and some cells are brighter than others.
`benchmarks/weights.py` says what the weights know of real cells.
"""

import argparse
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
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
_WINDOWS_A_FIELD = 8
_CHANNELS = keras_hpa.atlas.CHANNELS
_PROTEIN, _NUCLEUS, _RETICULUM = (_CHANNELS.index(color) for color in ("green", "blue", "yellow"))
_UNTIDY = ("stretched", "haze", "uneven")


def build(num_classes: int, **options: Any) -> keras.Model:
    """The network that the weights are for; it takes floats of any size."""
    shape = (None, None, len(_CHANNELS))
    return keras_hpa.GapNet(shape, num_classes, variant="textured", **options)


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
    """Cuts a window, the brightest in protein of three, from a sixth of a field's side to the whole, and resizes it.

    Args:
        size: pixels a side afterwards.
        untidy: what makes drawings less tidy, some of `_UNTIDY`.
    """

    def __init__(self, size: int, untidy: Sequence[str]) -> None:
        self.size, self.untidy = size, untidy

    def __call__(self, field: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        window = max((self._cut(field, rng) for _ in range(3)), key=lambda window: window[::3, ::3, _PROTEIN].mean())
        how = cv2.INTER_AREA if len(window) > self.size else cv2.INTER_LINEAR
        image = cv2.resize(np.ascontiguousarray(window), (self.size, self.size), interpolation=how).astype(np.float32)
        protein = image[..., _PROTEIN]
        if "haze" in self.untidy:
            protein = protein + self._haze(image, len(field) / len(window), rng)
        if "uneven" in self.untidy:
            protein = protein * self._uneven(rng)
        image[..., _PROTEIN] = protein * min(1, 250 / max(protein.max(), 1))
        return np.rint(image).astype(np.uint8)

    def _cut(self, field: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        side = len(field) * (1 / 6) ** rng.random()
        stretch = np.exp(rng.uniform(-0.25, 0.25)) if "stretched" in self.untidy else 1.0
        height, width = (min(len(field), round(one)) for one in (side * stretch, side / stretch))
        top, left = rng.integers(len(field) - height + 1), rng.integers(len(field) - width + 1)
        return field[top : top + height, left : left + width]

    def _haze(self, image: npt.NDArray[np.float32], zoom: float, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """A grainy share of the protein's brightness, in the cytosol, in the nucleus, in both or in neither."""
        brightest = max(np.percentile(image[..., _PROTEIN], 99.5), 20)
        haze = np.zeros((self.size, self.size), np.float32)
        for channel, sigma in ((_RETICULUM, 0.015), (_NUCLEUS, 0.005)):
            if rng.random() < 0.6:
                diffuse = cv2.GaussianBlur(image[..., channel], (0, 0), sigma * self.size * zoom)
                noise = rng.standard_normal(haze.shape).astype(np.float32)
                grain = 1 + 0.4 * rng.random() * cv2.GaussianBlur(noise, (0, 0), 0.3 + rng.random())
                share = np.clip(diffuse / max(np.percentile(diffuse, 99), 8) * grain, 0, 1.5)
                haze += 0.35 * rng.random() * brightest * share
        return haze

    def _uneven(self, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """Smooth factors around 1, as some cells hold more of a protein than others."""
        num = rng.integers(2, 9)
        coarse = rng.standard_normal((num, num)).astype(np.float32)
        strength = 0.6 * rng.random()
        smooth = cv2.resize(coarse, (self.size, self.size), interpolation=cv2.INTER_CUBIC)
        return np.exp(strength * smooth)


class FewerStains:
    """Darkens all stains but the protein's, or all but the protein's and the nucleus's, in a share of the images."""

    def __init__(self, share: float) -> None:
        self.share = share

    def __call__(self, image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
        chance = rng.random()
        if chance >= self.share:
            return image
        shown = [_PROTEIN] if chance < self.share / 2 else [_PROTEIN, _NUCLEUS]
        return np.where(np.isin(np.arange(image.shape[-1]), shown), image, 0).astype(image.dtype)


def cut_windows(fields: keras_hpa.Samples, window: Window, num_windows: int) -> keras_hpa.Samples:
    """Windows of each field, in memory, 1.5 GB of the default's; each depends on its number alone."""
    images = np.empty((len(fields) * num_windows, window.size, window.size, len(_CHANNELS)), np.uint8)

    def cut(number: int) -> None:
        field = fields.read(number)
        for which in range(num_windows):
            images[number * num_windows + which] = window(field, np.random.default_rng((number, which)))

    with ThreadPoolExecutor() as threads:
        list(threads.map(cut, range(len(fields))))
    return keras_hpa.Samples(keras_hpa.ArraySource(images), np.repeat(fields.labels, num_windows, axis=0))


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="folder of drawings, backup and weights")
    parser.add_argument("--seed", type=int, default=0, help="of the weights' start and the order of windows")
    parser.add_argument("--fields", type=int, default=5000)
    parser.add_argument("--size", type=int, default=96, help="pixels a side of what the network sees")
    parser.add_argument("--steps", type=int, default=6000, help=f"in epochs of {_STEPS_AN_EPOCH}")
    parser.add_argument("--learning-rate", type=float, default=3e-3, help="after the warm-up; it falls to zero")
    parser.add_argument("--fewer-stains", type=float, default=0.3, help="the share of windows without all stains")
    parser.add_argument("--without", nargs="+", default=(), choices=_UNTIDY, help="what is not done to drawings")
    parser.add_argument("--drawings", type=Path, help="drawings made before; else in --output")
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(args.seed)

    atlas = keras_hpa.SyntheticAtlas(args.fields, image_size=_FIELD, balance="uniform", seed=101)
    fields = atlas.samples.packed(args.drawings or args.output / "drawings")
    window = Window(args.size, [name for name in _UNTIDY if name not in args.without])
    batches = cut_windows(fields, window, _WINDOWS_A_FIELD).batches(
        batch_size=_BATCH_SIZE,
        shuffle=True,
        seed=args.seed,
        batches_per_epoch=_STEPS_AN_EPOCH,
        augment=["dihedral", keras_hpa.ChannelGain(0.5, offset=0.0), FewerStains(args.fewer_stains)],
        workers=1,
    )
    model = build(len(fields.class_names))
    model.compile(
        keras.optimizers.Adam(warm_up_and_cosine(args.learning_rate, args.steps, warm_up=0.05)),
        loss="binary_crossentropy",
        jit_compile=False,  # compiling gains nothing on two cores
    )
    backup = keras_hpa.TrainingBackup(args.output / "backup", settings=vars(args) | {"output": "", "drawings": ""})
    model.fit(
        batches,
        epochs=args.steps // _STEPS_AN_EPOCH,
        initial_epoch=backup.restore(model),
        callbacks=[backup],
        verbose=2,
    )
    trained = build(len(fields.class_names))  # without an optimizer, whose moments would be saved too
    trained.set_weights(model.get_weights())
    for layer in trained.layers:
        if isinstance(layer, keras_hpa.WarmUpBatchNormalization):
            layer.updates.assign(0)  # whoever trains on has other images, which the statistics shall follow
    trained.save_weights(args.output / "single.weights.h5")
    digest = to_half_precision(args.output / "single.weights.h5", args.output / "drawn.weights.h5")
    print(f"{args.output / 'drawn.weights.h5'}, SHA-256 {digest}")


if __name__ == "__main__":
    main()
