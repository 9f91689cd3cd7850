"""Does global average pooling localise? A GapNet's activation maps against the compartments that were drawn.

    python benchmarks/localisation.py
    python benchmarks/localisation.py --picture docs/figures/activation_maps.webp

Trains a small GapNet on drawings of one label each, without being told where anything lies. An image is the half of a
drawing, 82 micrometres wide in 128 pixels, with the most protein. Then, for test images, how much of the positive
activation for the label lies in the compartment that was drawn, next to the compartment's share of the area (chance)
and to how much of the green channel, the protein itself, lies there.

Prints a Markdown table per class, and the means for each level of the network (the last is what Grad-CAM on the last
feature maps gives), for the label that the network finds least likely, for the same network before training, and for
the compartment itself, seen as coarsely as the deep maps see.
"""

import argparse
import io
import time
from pathlib import Path

import cv2
import keras
import numpy as np
from sklearn.metrics import roc_auc_score
from trials import in_memory

import keras_hpa
from keras_hpa import atlas
from keras_hpa.explanation import View, enlarge

_DRAWN, _SIZE, _COARSE = 256, 128, 8  # pixels: a drawing, an image, a cell of the deepest maps
_POOL = keras_hpa.SyntheticAtlas(20_000, image_size=(_DRAWN, _DRAWN), balance="uniform", seed=7)
_PICTURED = ("Nucleoli", "Golgi apparatus", "Plasma membrane")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-class", type=int, nargs=2, default=(100, 12), help="training and test images")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--head-units", type=int, nargs="*", default=(256, 256), help="none for a linear head")
    parser.add_argument("--picture", type=Path, help="also draw some maps into this file")
    args = parser.parse_args()

    start = time.perf_counter()
    train, test = _choose(*args.per_class)
    images, test_images = in_memory(_image, train), in_memory(_image, test)
    labels, masks = _POOL.labels[test].argmax(axis=1), in_memory(_mask, test)
    shown = masks.any(axis=(1, 2))  # the image may not show the compartment at all
    test_images, labels, masks = test_images[shown], labels[shown], masks[shown]
    print(f"{len(train)} training and {len(test)} test images in {time.perf_counter() - start:.0f} s", flush=True)
    print(f"{(~shown).sum()} test images without a pixel of the compartment are left out", flush=True)

    start = time.perf_counter()
    keras.utils.set_random_seed(0)
    model = keras_hpa.GapNet(
        (_SIZE, _SIZE, 4),
        28,
        variant="report",
        filters=(16, 32, 64),
        padding="same",
        input_dtype="uint8",
        head_units=args.head_units,
        head_dropout=(0.25, 0.1)[: len(args.head_units)],
    )
    untrained = _own_class(keras_hpa.class_activation_maps(model, test_images), labels)
    _train(model, images, _POOL.labels[train], args.steps)
    scores = model.predict(test_images, verbose=0)
    right = scores.argmax(axis=1) == labels
    print(f"{args.steps} steps in {time.perf_counter() - start:.0f} s; best score right: {right.mean():.2f}\n")

    maps = keras_hpa.class_activation_maps(model, test_images)
    green = test_images[..., 1].astype(float)
    own, chance = _own_class(maps, labels), masks.mean(axis=(1, 2))
    columns = (chance, _share(green, masks), _share(own, masks))
    print("| class | images | best score right | chance | protein | activation | activation / chance |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for number, name in enumerate(atlas.CLASS_NAMES):
        _print_row(name, labels == number, right, *columns)
    _print_row("all", labels >= 0, right, *columns)
    _print_row("best score right", right, right, *columns)

    named = {
        "exact, all levels": own,
        **_by_level(View(model), test_images, labels),
        "the least likely label": _own_class(maps, scores.argmin(axis=1)),
        "before training": untrained,
        "the green channel": green,
        f"the green channel, {_COARSE} pixels a cell": _coarse(green),
        f"the compartment, {_COARSE} pixels a cell": _coarse(masks.astype(float)),
        "chance": np.ones(masks.shape),
    }
    print(
        "\n| what glows | share in the compartment | images above chance | AUC of pixels |"
        "\n| --- | ---: | ---: | ---: |"
    )
    for name, values in named.items():
        share = _share(values, masks)
        above = "" if name == "chance" else f"{(share > chance).mean():.2f}"
        print(f"| {name} | {share.mean():.3f} | {above} | {_auc(values, masks):.2f} |")
    if args.picture:
        _save_picture(args.picture, test_images, maps, labels, scores)


def _image(index: int) -> np.ndarray:
    """The part of a drawing with the most protein."""
    drawing = _POOL.read(index)
    return drawing[_window(drawing)]


def _mask(index: int) -> np.ndarray:
    """Where the same part has the compartment of its label."""
    return _POOL.masks(index)[atlas.CLASS_NAMES[_POOL.labels[index].argmax()]][_window(_POOL.read(index))]


def _window(drawing: np.ndarray) -> tuple[slice, slice]:
    sums = np.pad(drawing[..., 1].astype(float).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[_SIZE:, _SIZE:] - sums[:-_SIZE, _SIZE:] - sums[_SIZE:, :-_SIZE] + sums[:-_SIZE, :-_SIZE]
    top, left = np.unravel_index(inside.argmax(), inside.shape)
    return slice(int(top), int(top) + _SIZE), slice(int(left), int(left) + _SIZE)


def _choose(train_per_class: int, test_per_class: int) -> tuple[list[int], list[int]]:
    """Drawings of one label, as many of every class; others for the test."""
    single = np.flatnonzero(_POOL.labels.sum(axis=1) == 1)
    train, test = [], []
    for number in range(len(atlas.CLASS_NAMES)):
        mine = single[_POOL.labels[single, number] == 1]
        if len(mine) < train_per_class + test_per_class:
            raise SystemExit(f"{atlas.CLASS_NAMES[number]} has {len(mine)} drawings of one label only")
        train += mine[:train_per_class].tolist()
        test += mine[train_per_class:][:test_per_class].tolist()
    return train, test


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


def _by_level(view: View, images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """The map of each sample's class at each level of the network alone."""
    levels: dict[str, list[np.ndarray]] = {}
    for image, label in zip(images, labels, strict=True):
        for depth, level in enumerate(view.levels(image[None], [label]), start=1):
            levels.setdefault(f"level {depth}", []).append(enlarge(level.maps, level.axes, (_SIZE, _SIZE))[0, ..., 0])
    return {name: np.stack(maps) for name, maps in levels.items()}


def _coarse(pictures: np.ndarray) -> np.ndarray:
    """Pictures as feature maps of few cells would show them."""
    cells = pictures.reshape(len(pictures), _SIZE // _COARSE, _COARSE, _SIZE // _COARSE, _COARSE).mean(axis=(2, 4))
    return np.stack([cv2.resize(one, (_SIZE, _SIZE), interpolation=cv2.INTER_LINEAR) for one in cells])


def _auc(values: np.ndarray, masks: np.ndarray) -> float:
    """How often a pixel in the compartment glows more than one outside, in the mean over the images."""
    return float(np.mean([roc_auc_score(m.ravel(), v.ravel()) for m, v in zip(masks, values, strict=True)]))


def _print_row(
    name: str, rows: np.ndarray, right: np.ndarray, chance: np.ndarray, protein: np.ndarray, share: np.ndarray
) -> None:
    means = [values[rows].mean() for values in (chance, protein, share)]
    cells = " | ".join(f"{mean:.3f}" for mean in means)
    print(f"| {name} | {rows.sum()} | {right[rows].mean():.2f} | {cells} | {means[2] / means[0]:.1f} |", flush=True)


def _save_picture(path: Path, images: np.ndarray, maps: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> None:
    """For some classes the sample that was recognised best, the maps of all of these classes over it."""
    classes = [atlas.CLASS_NAMES.index(name) for name in _PICTURED]
    rows = []
    for number in classes:
        index = int(np.argmax(np.where(labels == number, scores[:, number], -1)))
        figure = keras_hpa.plots.plot_activation_maps(
            images[index], maps[index][..., classes], atlas.CHANNELS, _PICTURED
        )
        file = io.BytesIO()
        figure.savefig(file)
        rows.append(cv2.imdecode(np.frombuffer(file.getvalue(), np.uint8), cv2.IMREAD_COLOR))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = np.concatenate(rows)
    picture = cv2.resize(picture, (960, round(960 * len(picture) / picture.shape[1])), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_WEBP_QUALITY, 80])


if __name__ == "__main__":
    main()
