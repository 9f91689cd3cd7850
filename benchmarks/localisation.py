"""Does global average pooling localise? A GapNet's activation maps against the compartments that were drawn.

    python benchmarks/localisation.py
    python benchmarks/localisation.py --picture docs/activation_maps.jpg

Trains a small GapNet on drawings of one label each; nobody tells it where anything lies. Then, for test drawings, how
much of the positive activation for the label lies in the compartment that was drawn, next to the compartment's share
of the area (chance) and to how much of the green channel, the protein itself, lies there.

Prints a Markdown table per class, and the means for each level of the network (the last is what Grad-CAM on the last
feature maps gives), for the label that the network finds least likely, and for the same network before training.
"""

import argparse
import io
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import keras
import numpy as np

import keras_hpa
from keras_hpa import atlas
from keras_hpa.inference.class_activation_maps import View
from keras_hpa.inference.feature_grid import enlarge

_SIZE = 96
_POOL = keras_hpa.SyntheticAtlas(20_000, image_size=(_SIZE, _SIZE), balance="uniform", seed=7)
_PICTURED = ("Nucleoli", "Golgi apparatus", "Plasma membrane")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-class", type=int, nargs=2, default=(120, 12), help="training and test images")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--picture", type=Path, help="also draw some maps into this file")
    args = parser.parse_args()

    start = time.perf_counter()
    train, test = _choose(*args.per_class)
    train_images, test_images = _draw(_POOL.read, train), _draw(_POOL.read, test)
    labels = _POOL.labels[test].argmax(axis=1)
    masks = _draw(lambda index: _POOL.masks(index)[atlas.CLASS_NAMES[_POOL.labels[index].argmax()]], test)
    print(f"{len(train)} training and {len(test)} test images drawn in {time.perf_counter() - start:.0f} s", flush=True)

    start = time.perf_counter()
    keras.utils.set_random_seed(0)
    model = keras_hpa.GapNet((_SIZE, _SIZE, 4), filters=(16, 32, 64), padding="same", input_dtype="uint8")
    untrained = [_own_class(keras_hpa.class_activation_maps(model, test_images), labels)]
    _train(model, train_images, _POOL.labels[train], args.steps)
    scores = model.predict(test_images, verbose=0)
    recognised = scores.argmax(axis=1) == labels
    print(f"{args.steps} steps in {time.perf_counter() - start:.0f} s; best score right: {recognised.mean():.2f}\n")

    maps = keras_hpa.class_activation_maps(model, test_images)
    share, protein = _share(_own_class(maps, labels), masks), _share(test_images[..., 1].astype(float), masks)
    chance = masks.mean(axis=(1, 2))
    print("| class | images | best score right | chance | protein | activation | activation / chance |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for number, name in enumerate(atlas.CLASS_NAMES):
        rows = labels == number
        _print_row(name, rows, recognised, chance, protein, share)
    _print_row("all", labels >= 0, recognised, chance, protein, share)
    _print_row("all, best score right", recognised, recognised, chance, protein, share)

    print("\n| maps | activation | median of activation / chance | images above chance |\n| --- | ---: | ---: | ---: |")
    view = View(model)
    levels = [view.levels(test_images[n : n + 1], [label])[:] for n, label in enumerate(labels)]
    by_level = [
        np.stack([enlarge(one[depth].maps, one[depth].axes, (_SIZE, _SIZE))[0, ..., 0] for one in levels])
        for depth in range(len(levels[0]))
    ]
    named = {
        "exact, all levels": _own_class(maps, labels),
        **{f"level {depth}": values for depth, values in enumerate(by_level, start=1)},
        "the least likely label": _own_class(maps, scores.argmin(axis=1)),
        "before training": untrained[0],
        "the green channel": test_images[..., 1].astype(float),
    }
    for name, values in named.items():
        shares = _share(values, masks)
        print(f"| {name} | {shares.mean():.2f} | {np.median(shares / chance):.1f} | {(shares > chance).mean():.2f} |")
    print(f"| chance | {chance.mean():.2f} | 1.0 | |")
    if args.picture:
        _save_picture(args.picture, test_images, maps, labels, scores)


def _choose(train_per_class: int, test_per_class: int) -> tuple[list[int], list[int]]:
    """Samples of one label whose protein shows; training and test drawn from different ones."""
    single = np.flatnonzero(_POOL.labels.sum(axis=1) == 1)
    train, test = [], []
    for number in range(len(atlas.CLASS_NAMES)):
        mine = single[_POOL.labels[single, number] == 1]
        if len(mine) < train_per_class + test_per_class:
            raise SystemExit(f"{atlas.CLASS_NAMES[number]} has {len(mine)} drawings of one label only")
        train += mine[:train_per_class].tolist()
        test += mine[train_per_class:][:test_per_class].tolist()
    return train, test


def _draw(draw: Callable[[int], np.ndarray], chosen: Sequence[int]) -> np.ndarray:
    with ThreadPoolExecutor(2) as threads:
        return np.stack(list(threads.map(draw, chosen)))


def _train(model: keras.Model, images: np.ndarray, labels: np.ndarray, steps: int) -> None:
    sequence = keras_hpa.MultiChannelSequence(
        keras_hpa.ArraySource(images),
        labels,
        batch_size=32,
        shuffle=True,
        dtype="source",
        batches_per_epoch=steps,
        augment=_turn,
    )
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        "binary_crossentropy",
        jit_compile=False,
    )
    model.fit(sequence, shuffle=False, verbose=0)
    keras_hpa.reestimate_batch_norm(model, sequence, steps=40)


def _turn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return keras_hpa.apply_symmetry(image, int(rng.integers(8)))


def _own_class(maps: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each sample the map of one class."""
    return np.stack([one[..., label] for one, label in zip(maps, labels, strict=True)])


def _share(values: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """How much of what is positive lies in the masks; chance where nothing is."""
    positive = np.clip(values, 0, None).astype(float)
    total, inside = positive.sum(axis=(1, 2)), (positive * masks).sum(axis=(1, 2))
    return np.where(total > 0, inside / np.where(total > 0, total, 1), masks.mean(axis=(1, 2)))


def _print_row(
    name: str, rows: np.ndarray, recognised: np.ndarray, chance: np.ndarray, protein: np.ndarray, share: np.ndarray
) -> None:
    means = [values[rows].mean() for values in (chance, protein, share)]
    print(
        f"| {name} | {rows.sum()} | {recognised[rows].mean():.2f} | {means[0]:.3f} | {means[1]:.3f} | {means[2]:.3f} "
        f"| {means[2] / means[0]:.1f} |",
        flush=True,
    )


def _save_picture(path: Path, images: np.ndarray, maps: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> None:
    """For some classes the sample that was recognised best, the maps of all of these classes over it."""
    classes = [atlas.CLASS_NAMES.index(name) for name in _PICTURED]
    rows = []
    for number in classes:
        index = int(np.argmax(np.where(labels == number, scores[:, number], -1)))
        figure = keras_hpa.plots.plot_activation_maps(images[index], maps[index][..., classes], class_names=_PICTURED)
        file = io.BytesIO()
        figure.savefig(file)
        rows.append(cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.concatenate(rows), [cv2.IMWRITE_JPEG_QUALITY, 80])


if __name__ == "__main__":
    main()
