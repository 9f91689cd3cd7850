"""Trains GapNet by the recipe that measured best, on any folder in Kaggle's layout or on drawings.

    python examples/best_recipe.py --output out                     on 2,400 drawings: minutes on two cores
    python examples/best_recipe.py --data FOLDER --output out       on train.csv and train/ID_red.png, ...
    ... --weights drawn                                             from the weights that come with the package

Each channel of each image is standardized, images are turned and flipped, nothing is dropped out, and the learning rate
warms up and falls to zero along a cosine. `benchmarks/recipes.py` says what each of these is worth.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

import keras_hpa


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("best_recipe"))
    parser.add_argument("--data", type=Path, help="a folder in Kaggle's layout; drawings without it")
    parser.add_argument("--weights", choices=["drawn"], help="what to start from; at random without it")
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--steps", type=int, help="batches an epoch; all without it")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller drawings, one epoch")
    args = parser.parse_args(argv)
    if args.quick:
        args.image_size, args.epochs = 48, 1
    keras.utils.set_random_seed(args.seed)
    args.output.mkdir(parents=True, exist_ok=True)

    if args.data is None:
        num_drawings = 120 if args.quick else 2400
        samples = keras_hpa.SyntheticAtlas(num_drawings, image_size=args.image_size, balance="uniform").samples
    else:
        samples = keras_hpa.load_kaggle(args.data)
    train, validation, test = samples.split(validation_size=1 / 6, test_size=1 / 6)
    options = {"image_size": args.image_size, "batch_size": args.batch_size, "dtype": "source"}
    train_batches = train.batches(
        shuffle=True, augment="dihedral", seed=args.seed, batches_per_epoch=args.steps, **options
    )

    model = keras_hpa.GapNet(
        (None, None, len(samples.channels)),
        len(samples.class_names),
        input_dtype=samples.read(0).dtype.name,
        weights=args.weights,
        preprocessing=keras_hpa.ImageStandardization(),
        dropout=0.0,
        head_dropout=(0.0, 0.0),
    )
    steps = args.epochs * len(train_batches)
    warm_up = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(1e-4, steps - warm_up, warmup_target=3e-3, warmup_steps=warm_up)
    model.compile(keras.optimizers.Adam(rate), "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    model.fit(train_batches, validation_data=validation.batches(**options), epochs=args.epochs, verbose=2)
    model.save(args.output / "model.keras")

    scores, test_scores = (
        keras_hpa.predict_scores(model, part.batches(**options), "dihedral", verbose=0) for part in (validation, test)
    )
    calibrator = keras_hpa.ThresholdCalibrator(class_names=samples.class_names).fit(scores, validation.labels)
    calibrator.save(args.output / "thresholds.json")
    np.savez(args.output / "validation_scores.npz", scores=scores, labels=validation.labels)
    print(keras_hpa.evaluation.evaluate(test_scores, test, thresholds=calibrator))


if __name__ == "__main__":
    main()
