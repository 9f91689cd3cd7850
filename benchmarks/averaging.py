"""What averaging is worth: over the eight symmetries, over the models of three folds, over both.

    python benchmarks/averaging.py
    python benchmarks/averaging.py --no-augment

1,200 drawings of `SyntheticAtlas` with uniform classes; for each seed another half of them trains. "One model" learns
from all of that half, the model of a fold from two thirds of it: what a user with a fixed set of images can choose
between. Prints macro-F1 of the other half, at thresholds per class that were fitted crosswise on halves of it from
scores made in the same way, and macro-AUC: means over the seeds, and gains over one model without transforms, paired by
seed, each with its standard error.
"""

import argparse
import itertools
import time

import keras
import numpy as np
from sklearn.metrics import roc_auc_score
from trials import draw, with_error

import keras_hpa

NUM_FOLDS = 3
WHOLE, FOLD, FOLDS = "one model", "one fold (mean of three)", "three folds, averaged"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1200, help="half of them train")
    parser.add_argument("--image-size", type=int, default=80)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--augment", action=argparse.BooleanOptionalAction, default=True, help="train on turned images")
    args = parser.parse_args()

    samples, began = draw(args.samples, args.image_size), time.process_time()
    results: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for seed in range(args.seeds):
        training, held_out = samples.split(test_size=0.5, seed=seed)
        whole = train(training, seed, args)
        models = [train(fit, seed, args) for fit, _ in training.folds(NUM_FOLDS, seed=seed)]
        sequence = held_out.batches(batch_size=32, dtype="source")
        ways = {WHOLE: [whole], FOLD: models, FOLDS: [models]}
        for transforms, (name, choices) in itertools.product((None, "dihedral"), ways.items()):
            scores = [keras_hpa.predict_scores(one, sequence, transforms, verbose=0) for one in choices]
            values = np.mean([judge(one, held_out.labels) for one in scores], axis=0)
            results.setdefault((name, transforms or "none"), []).append(tuple(values))
            print(f"seed {seed}, {name}, {transforms}: macro-F1 {values[0]:.3f}, macro-AUC {values[1]:.3f}", flush=True)
    print_table(results)
    print(f"\n{(time.process_time() - began) / 60:.0f} minutes of processor time; {args}")


def train(samples: keras_hpa.Samples, seed: int, args: argparse.Namespace) -> keras.Model:
    keras.utils.set_random_seed(seed)
    size = args.image_size
    model = keras_hpa.GapNet((size, size, 4), 28, input_dtype="uint8", batch_norm_momentum=0.9)
    sequence = samples.batches(
        batch_size=args.batch_size,
        shuffle=True,
        augment="dihedral" if args.augment else None,
        seed=seed,
        dtype="source",
        batches_per_epoch=args.steps,
    )
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, args.steps, warmup_target=args.learning_rate, warmup_steps=args.steps // 20
    )
    model.compile(keras.optimizers.Adam(schedule), "binary_crossentropy", jit_compile=False)
    model.fit(sequence, verbose=0)
    return model


def judge(scores: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    macro_f1 = keras_hpa.cross_fit("auto", scores, labels, zero_division=0)
    return macro_f1, roc_auc_score(labels, scores, average="macro")


def print_table(results: dict[tuple[str, str], list[tuple[float, float]]]) -> None:
    plain = np.array(results[WHOLE, "none"])
    print("\n| models | transforms | macro-F1 | gain | macro-AUC | gain |\n| --- | --- | --- | --- | --- | --- |")
    for (name, transforms), seeds in results.items():
        values = np.array(seeds)
        cells = []
        for column in (0, 1):
            gain = values[:, column] - plain[:, column]
            cells += [with_error(values[:, column]), with_error(gain, "+.3f") if gain.any() else ""]
        print(f"| {name} | {transforms} | {' | '.join(cells)} |")
    print("\nGains of macro-F1 and macro-AUC, paired by seed:")
    for what, one, other in (
        ("three folds over one of them", (FOLDS, "none"), (FOLD, "none")),
        ("dihedral over none, one model", (WHOLE, "dihedral"), (WHOLE, "none")),
        ("dihedral over none, one fold", (FOLD, "dihedral"), (FOLD, "none")),
        ("both over one fold without", (FOLDS, "dihedral"), (FOLD, "none")),
    ):
        gain = np.array(results[one]) - np.array(results[other])
        print(f"- {what}: {with_error(gain[:, 0], '+.3f')}, {with_error(gain[:, 1], '+.3f')}")


if __name__ == "__main__":
    main()
