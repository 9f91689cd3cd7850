"""GapNet's variants trained on the synthetic atlas for equally many steps, over several seeds.

    python benchmarks/gapnet_variants.py --variants report light
    python benchmarks/gapnet_variants.py --variants gapnet-pl gapnet-pl-published --weights models/gapnet-pl.ckpt

Prints macro-F1 (thresholds by prevalence, fitted on validation images) and macro-AUC on test images, as a Markdown
table: mean and standard error over the seeds. `gapnet-pl-published` starts from the published weights.
"""

import argparse
import time

import keras
import numpy as np
from sklearn.metrics import roc_auc_score
from trials import draw, macro_f1, with_error

import keras_hpa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", nargs="+", required=True)
    parser.add_argument("--weights", help="GapNet-PL's checkpoint, or converted weights")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--image-size", type=int, default=80)
    parser.add_argument("--scale", type=float, default=2.0, help="how far gapnet-pl enlarges its images")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--samples", type=int, nargs=3, default=(1000, 300, 500), help="training, validation, test")
    args = parser.parse_args()

    parts = [draw(count, args.image_size, seed=seed) for seed, count in enumerate(args.samples, start=1)]
    print(f"{args.steps} steps of {args.batch_size}, {args.image_size} pixels, {args.samples[0]} images, uint8")
    print("| variant | parameters | macro-F1 | macro-AUC | each seed's macro-F1 |\n| --- | --- | --- | --- | --- |")
    for variant in args.variants:
        scores, start = [], time.perf_counter()
        for seed in range(args.seeds):
            keras.utils.set_random_seed(seed)
            model = build(variant, args)
            train(model, parts[0], args, seed)
            scores.append(judge(model, *parts[1:]))
        cells = [with_error(column) for column in np.transpose(scores)]
        seeds = ", ".join(f"{score[0]:.3f}" for score in scores)
        print(f"| {variant} | {model.count_params():,} | {cells[0]} | {cells[1]} | {seeds} |", flush=True)
        print(f"<!-- {time.perf_counter() - start:.0f} s -->", flush=True)


def build(variant: str, args: argparse.Namespace) -> keras.Model:
    shape = (args.image_size, args.image_size, 4)
    if not variant.startswith("gapnet-pl"):
        return keras_hpa.GapNet(shape, 28, variant=variant, input_dtype="uint8")
    published = {"weights": args.weights, "weights_num_classes": 13} if variant == "gapnet-pl-published" else {}
    preprocessing = keras_hpa.gapnet_pl.GapNetPLPreprocessing(args.scale)
    return keras_hpa.GapNet(
        shape, 28, variant="gapnet-pl", preprocessing=preprocessing, input_dtype="uint8", **published
    )


def train(model: keras.Model, samples: keras_hpa.Samples, args: argparse.Namespace, seed: int) -> None:
    sequence = samples.batches(
        batch_size=args.batch_size,
        shuffle=True,
        seed=seed,
        batches_per_epoch=args.steps,
        dtype="source",
    )
    model.compile(keras.optimizers.Adam(args.learning_rate), "binary_crossentropy")
    model.fit(sequence, shuffle=False, verbose=0)
    if any(isinstance(layer, keras.layers.BatchNormalization) for layer in model.layers):
        keras_hpa.reestimate_batch_norm(model, sequence, steps=20)


def judge(model: keras.Model, validation: keras_hpa.Samples, test: keras_hpa.Samples) -> tuple[float, float]:
    validation_scores, scores = (
        model.predict(samples.batches(dtype="source"), verbose=0) for samples in (validation, test)
    )
    calibrator = keras_hpa.ThresholdCalibrator("prevalence").fit(validation_scores, validation.labels)
    predicted = calibrator.predict(scores)
    return macro_f1(test.labels, predicted), roc_auc_score(test.labels, scores, average="macro")


if __name__ == "__main__":
    main()
