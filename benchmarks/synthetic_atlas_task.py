"""Is the embedded data set worth learning from? Three classifiers on one protocol, macro-F1 over 28 classes.

    python benchmarks/synthetic_atlas_task.py

5,000 samples of 128x128 pixels, uniform classes: 4,000 to train (thresholds are fitted on the last 800 of them),
1,000 to test. (a) sees intensities but not where they lie: it should fail. (b) is GapNet. (c) is told
where every compartment was drawn: it shows how much the images hold.
"""

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import cv2
import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from trials import class_f1

import keras_hpa
from keras_hpa import atlas

_SIZE = 128
_CHUNK = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=int, default=4000)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=24, help="of GapNet")
    parser.add_argument("--only", nargs="+", choices=["a", "b", "c"], default=["a", "b", "c"])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    start = time.perf_counter()
    count = args.train + args.test
    labels = keras_hpa.SyntheticAtlas(count, image_size=(_SIZE, _SIZE), seed=args.seed, balance="uniform").labels
    jobs = [
        (first, min(first + _CHUNK, count), count, args.seed, "c" in args.only) for first in range(0, count, _CHUNK)
    ]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        parts = list(pool.map(_draw, jobs))
    images, lying = (np.concatenate(part) for part in zip(*parts, strict=True))
    print(f"drawn in {time.perf_counter() - start:.0f} s")

    fit, held_out = np.arange(args.train * 4 // 5), np.arange(args.train * 4 // 5, args.train)
    names = {"a": "logistic regression on intensities", "b": "GapNet", "c": "told the compartments"}
    table = {}
    for kind in sorted(args.only, key="acb".index):  # the long one last
        start = time.perf_counter()
        if kind == "b":
            scores = _gapnet_scores(images, labels, fit, held_out, args.epochs)
        else:
            features = _intensity_features(images) if kind == "a" else lying
            scores = _regression_scores(features, labels, fit)
        calibrator = keras_hpa.ThresholdCalibrator("max_f1").fit(scores[held_out], labels[held_out])
        predicted = calibrator.predict(scores[args.train :])
        table[kind] = class_f1(labels[args.train :], predicted)
        print(
            f"({kind}) {names[kind]}: macro-F1 {table[kind].mean():.3f}, {time.perf_counter() - start:.0f} s",
            flush=True,
        )
    floor = 2 * labels[args.train :].mean(0) / (1 + labels[args.train :].mean(0))
    print(f"all positive: macro-F1 {floor.mean():.3f}")
    print(f"\n| class | {' | '.join(f'({kind})' for kind in table)} |\n| --- |{' ---: |' * len(table)}")
    for number, name in enumerate(atlas.CLASS_NAMES):
        print(f"| {name} | {' | '.join(f'{column[number]:.2f}' for column in table.values())} |")


def _draw(job: tuple[int, int, int, int, bool]) -> tuple[np.ndarray, np.ndarray]:
    """Samples, and for (c) how their protein lies in the compartments."""
    first, last, count, seed, with_masks = job
    cv2.setNumThreads(1)
    source, fine = (
        keras_hpa.SyntheticAtlas(count, image_size=(size, size), seed=seed, balance="uniform")
        for size in (_SIZE, 2 * _SIZE)
    )
    images = np.stack([source.read(index) for index in range(first, last)])
    if not with_masks:
        return images, np.zeros((len(images), 0), np.float32)
    return images, np.stack([_lying(image, fine.masks(first + number)) for number, image in enumerate(images)])


def _lying(image: np.ndarray, masks: dict[str, np.ndarray]) -> np.ndarray:
    """How the green channel lies in the compartments: least squares on their masks, contrast and mean within each."""
    names = (*atlas.CLASS_NAMES, "cell", "nucleus")
    covered = np.stack([masks[name].reshape(_SIZE, 2, _SIZE, 2).mean((1, 3)).ravel() for name in names])
    regressors = np.concatenate([covered, np.ones((1, _SIZE**2))]).astype(np.float32)
    green = image[..., 1].astype(np.float32)
    weight = 1 / np.sqrt(cv2.blur(green, (5, 5)).ravel() + 5)
    weighted, target = regressors * weight, green.ravel() * weight
    inverse = np.linalg.inv((weighted @ weighted.T).astype(np.float64) + 1e-2 * np.eye(len(weighted)))
    share = inverse @ (weighted @ target)
    noise = (target - share @ weighted).std() + 1e-6
    certainty = share / (noise * np.sqrt(np.diag(inverse)))
    size = covered.sum(1) + 1e-3
    local = (green - cv2.GaussianBlur(green, (0, 0), 2)).ravel()
    overall = green.mean() + 0.5
    mean, contrast = covered @ green.ravel() / size / overall, covered @ local / size / overall
    relative = share / (np.abs(share[:28]).max() + 1)
    return np.concatenate([relative, certainty, mean, contrast, size / len(local), [overall]]).astype(np.float32)


def _intensity_features(images: np.ndarray) -> np.ndarray:
    """Histograms and means of the channels and their correlations: nothing that knows where in the image."""
    rows = []
    for image in images:
        pixels = image.reshape(-1, 4).astype(np.float64)
        histograms = [np.histogram(channel, 32, (0, 256))[0] / len(pixels) for channel in pixels.T]
        centered = pixels - pixels.mean(0)
        covariance = centered.T @ centered / len(pixels)
        spread = np.sqrt(np.diag(covariance)) + 1e-6
        correlation = (covariance / np.outer(spread, spread))[np.triu_indices(4, 1)]
        rows.append(np.concatenate([*histograms, pixels.mean(0), correlation]))
    return np.stack(rows)


def _regression_scores(features: np.ndarray, labels: np.ndarray, fit: np.ndarray) -> np.ndarray:
    features = np.clip(StandardScaler().fit(features[fit]).transform(features), -6, 6)
    models = [LogisticRegression(C=0.3, max_iter=1000).fit(features[fit], column) for column in labels[fit].T]
    return np.stack([model.predict_proba(features)[:, 1] for model in models], axis=1)


def _gapnet_scores(
    images: np.ndarray, labels: np.ndarray, fit: np.ndarray, held_out: np.ndarray, epochs: int
) -> np.ndarray:
    """Trains GapNet with turned and mirrored samples and a learning rate that falls to zero."""
    keras.utils.set_random_seed(0)
    model = keras_hpa.GapNet((_SIZE, _SIZE, 4), 28, variant="report", batch_norm_momentum=0.9)
    steps = epochs * -(-len(fit) // 32)
    schedule = keras.optimizers.schedules.CosineDecay(0.0, steps, warmup_target=2e-3, warmup_steps=steps // 20)
    model.compile(keras.optimizers.Adam(schedule), loss="binary_crossentropy")
    samples = keras_hpa.Samples(keras_hpa.ArraySource(images), labels)
    training = samples[fit].batches(batch_size=32, shuffle=True, augment=_turn)
    model.fit(training, validation_data=samples[held_out].batches(batch_size=32), epochs=epochs, verbose=2)
    return model.predict(samples.batches(batch_size=32), verbose=0)


def _turn(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = np.rot90(image, rng.integers(4))
    return np.ascontiguousarray(image[:, ::-1] if rng.random() < 0.5 else image)


if __name__ == "__main__":
    main()
