"""Which loss trains rare classes: a small GapNet on few, imbalanced synthetic images, once per loss and seed.

    python benchmarks/losses.py

Twelve classes of `SyntheticAtlas`: four frequent, four in the middle, four rare. From seed to seed the classes change
places, so that over three seeds each class was once frequent, once in the middle and once rare, and the columns of the
table differ in frequency alone. Every loss sees the same images in the same order from the same start.

Prints macro-F1 on test images of the same distribution, as a Markdown table: at 0.5 for all classes, and at thresholds
per class that were fitted on the other half of the test images.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from trials import class_f1, in_memory, with_error

import keras_hpa
from keras_hpa import atlas

CLASSES = (
    *("Nucleoplasm", "Nuclear membrane", "Nucleoli", "Endoplasmic reticulum", "Golgi apparatus", "Actin filaments"),
    *("Microtubules", "Centrosome", "Plasma membrane", "Mitochondria", "Cytosol", "Aggresome"),
)
TIERS = ("frequent", "middle", "rare")
COUNTS = {"frequent": 150, "middle": 50, "rare": 15}
POOL = keras_hpa.SyntheticAtlas(30_000, image_size=(96, 96), balance="uniform")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("out/losses.json"), help="kept, to go on after a stop")
    args = parser.parse_args()

    done: dict[str, list] = json.loads(args.output.read_text()) if args.output.exists() else {}
    settings = f"{args.steps} steps of {args.batch_size} images at {args.learning_rate}"
    results: dict[str, list[np.ndarray]] = {}
    floors: list[np.ndarray] = []
    for seed in range(args.seeds):
        tiers = np.roll(np.repeat(np.arange(3), 4), 4 * seed)
        train, test = (_choose(tiers, seed, half) for half in (0, 1))
        train_labels, test_labels = _labels(train), _labels(test)
        floors.append(_macro_f1_per_tier(np.ones(test_labels.shape), test_labels, tiers)[0])
        print(f"seed {seed}: {len(train)} training images, {len(test)} test images", flush=True)
        print("  " + ", ".join(f"{n} {k}" for n, k in zip(CLASSES, train_labels.sum(axis=0), strict=True)), flush=True)
        losses = make_losses(train_labels.sum(axis=0))
        keys = {name: f"{name}, seed {seed}, {settings}" for name in losses}
        if not done.keys() >= set(keys.values()):
            train_images, test_images = in_memory(POOL.read, train), in_memory(POOL.read, test)
        for name, loss in losses.items():
            if keys[name] not in done:
                began = time.process_time()
                scores = _train(loss, train_images, train_labels, test_images, seed, args)
                seconds = time.process_time() - began
                done[keys[name]] = [_macro_f1_per_tier(scores, test_labels, tiers).tolist(), seconds]
                args.output.parent.mkdir(parents=True, exist_ok=True)
                args.output.write_text(json.dumps(done, indent=1))
            values, seconds = done[keys[name]]
            results.setdefault(name, []).append(np.array(values))
            print(f"  {name}: all classes {values[0][-1]:.3f} at 0.5, {values[1][-1]:.3f} fitted", flush=True)
    _print_table(results)
    cells = " / ".join(f"{value:.3f}" for value in np.mean(floors, axis=0))
    print(f"\nPredicting everything scores {cells} (frequent / middle / rare / all).")
    seconds = sum(seconds for _, seconds in done.values())
    print(f"\n{settings}; {seconds / 60:.0f} minutes of processor time for {len(done)} trainings")


def make_losses(counts: np.ndarray) -> dict[str, keras.losses.Loss]:
    """The rows of the table; all take logits."""
    crossentropy = keras.losses.BinaryCrossentropy(from_logits=True)
    soft_f1 = keras_hpa.MacroF1Loss(from_logits=True)
    return {
        "binary cross-entropy (Keras)": crossentropy,
        "ClassBalancedCrossentropy": keras_hpa.ClassBalancedCrossentropy(counts, from_logits=True),
        "ClassBalancedFocalCrossentropy": keras_hpa.ClassBalancedFocalCrossentropy(counts, from_logits=True),
        "AsymmetricLoss": keras_hpa.AsymmetricLoss(from_logits=True),
        "MacroF1Loss": soft_f1,
        "SymmetricLovaszHinge": keras_hpa.SymmetricLovaszHinge(from_logits=True),
        "WeightedSumLoss, cross-entropy + MacroF1Loss": keras_hpa.WeightedSumLoss([crossentropy, soft_f1]),
    }


def _choose(tiers: np.ndarray, seed: int, half: int) -> list[int]:
    """Images with the twelve classes only, none more often than its tier says."""
    labels = _labels(np.arange(len(POOL)))
    most = np.array([COUNTS[tier] for tier in TIERS])[tiers]
    candidates = np.flatnonzero(labels.sum(axis=1) == POOL.labels.sum(axis=1))
    candidates = np.random.default_rng([seed, 0]).permutation(candidates)
    chosen, counts = [], np.zeros(len(CLASSES), int)
    for index in np.array_split(candidates, 2)[half]:
        if (counts + labels[index] <= most).all():
            chosen.append(int(index))
            counts += labels[index]
    return chosen


def _labels(chosen: Sequence[int]) -> np.ndarray:
    return POOL.labels[np.asarray(chosen)][:, [atlas.CLASS_NAMES.index(name) for name in CLASSES]]


def _train(
    loss: keras.losses.Loss,
    images: np.ndarray,
    labels: np.ndarray,
    test_images: np.ndarray,
    seed: int,
    args: argparse.Namespace,
) -> np.ndarray:
    keras.utils.set_random_seed(seed)
    model = keras_hpa.GapNet(
        (96, 96, 4),
        len(CLASSES),
        variant="report",
        stem_strides=2,
        padding="same",
        filters=(16, 32, 64),
        input_dtype="uint8",
        batch_norm_momentum=0.9,
        classifier_activation=None,
    )
    sequence = keras_hpa.MultiChannelSequence(
        keras_hpa.ArraySource(images),
        labels,
        batch_size=args.batch_size,
        shuffle=True,
        seed=seed,
        dtype="source",
        batches_per_epoch=args.steps,
    )
    schedule = keras.optimizers.schedules.CosineDecay(args.learning_rate, args.steps)
    model.compile(keras.optimizers.Adam(schedule), loss, jit_compile=False)
    model.fit(sequence, verbose=0)
    return keras.ops.convert_to_numpy(keras.ops.sigmoid(model.predict(test_images, batch_size=64, verbose=0)))


def _macro_f1_per_tier(scores: np.ndarray, labels: np.ndarray, tiers: np.ndarray) -> np.ndarray:
    """Shape (2, 4): at 0.5 and at fitted thresholds; frequent, middle, rare, all."""
    rows = []
    for predicted in (scores >= 0.5, keras_hpa.cross_fit_predict("auto", scores, labels)):
        per_class = class_f1(labels, predicted)
        rows.append([*(per_class[tiers == tier].mean() for tier in range(3)), per_class.mean()])
    return np.array(rows)


def _print_table(results: dict[str, list[np.ndarray]]) -> None:
    print("\n| loss | thresholds | " + " | ".join([*(f"{tier} ({COUNTS[tier]})" for tier in TIERS), "all"]) + " |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row, thresholds in enumerate(("0.5", "fitted")):
        for name, seeds in results.items():
            values = np.array(seeds)[:, row]
            cells = " | ".join(with_error(column) for column in values.T)
            print(f"| {name} | {thresholds} | {cells} |")
    (reference, base), *others = results.items()
    print(f"\n| minus {reference}, paired by seed, all classes | at 0.5 | fitted |\n| --- | --- | --- |")
    for name, seeds in others:
        gains = np.array(seeds)[..., -1] - np.array(base)[..., -1]
        cells = " | ".join(with_error(column, "+.3f") for column in gains.T)
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()
