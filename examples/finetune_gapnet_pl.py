"""Teaches the published GapNet-PL, which knows real cells, classes of one's own.

    python examples/finetune_gapnet_pl.py --weights models/gapnet-pl.ckpt --data KAGGLE_FOLDER --output out
    python examples/finetune_gapnet_pl.py --weights models/gapnet-pl.ckpt --synthetic 400 --output out

The checkpoint is that of https://github.com/ml-jku/gapnet-pl (models/gapnet-pl.ckpt.*). First the new classes are
learned on top of the old features, then everything at a tenth of the learning rate. Writes model.keras, converted
weights that need no TensorFlow, and thresholds.json.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

import keras_hpa


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", required=True, help="the checkpoint's prefix, or a converted .weights.h5 file")
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument("--data", type=Path, help="Kaggle's folder: train.csv and train/")
    images.add_argument("--synthetic", type=int, help="draw this many images instead")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--image-size", type=int, default=256)
    parser.add_argument("--scale", type=float, default=2.0, help="how far images are enlarged for the network")
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--epochs", type=int, nargs=2, default=(5, 5), help="of the new classes alone, of everything")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    keras.utils.set_random_seed(args.seed)

    source, labels = load(args)
    training, validation = keras_hpa.stratified_split(labels, test_size=0.25, seed=args.seed)

    def sequence(indices: np.ndarray, **options: object) -> keras_hpa.MultiChannelSequence:
        return keras_hpa.MultiChannelSequence(
            keras_hpa.subset(source, indices),
            labels[indices],
            batch_size=args.batch_size,
            image_size=args.image_size,
            seed=args.seed,
            dtype="source",
            **options,
        )

    model = keras_hpa.GapNet(
        (args.image_size, args.image_size, 4),
        num_classes=labels.shape[1],
        variant="gapnet-pl",
        weights=args.weights,
        weights_num_classes=13,
        preprocessing=keras_hpa.GapNetPLPreprocessing(args.scale, name="preprocessing"),
        input_dtype="uint8",
    )
    stages = [("logits", args.learning_rate, args.epochs[0]), ("*", args.learning_rate / 10, args.epochs[1])]
    for layers, learning_rate, epochs in stages:
        keras_hpa.train_only(model, layers)
        optimizer = keras.optimizers.Adam(learning_rate, clipnorm=5.0)
        model.compile(optimizer, "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
        model.fit(sequence(training, shuffle=True), shuffle=False, epochs=epochs, validation_data=sequence(validation))

    scores = model.predict(sequence(validation))
    calibrator = keras_hpa.ThresholdCalibrator("prevalence").fit(scores, labels[validation])
    predicted = calibrator.predict(scores)
    present = labels[validation].any(axis=0)
    macro_f1 = keras_hpa.MacroF1()
    macro_f1.update_state(labels[validation][:, present], predicted[:, present].astype("float32"))
    print(f"macro-F1 over the {present.sum()} classes in validation: {float(macro_f1.result()):.3f}")
    model.save(args.output / "model.keras")
    calibrator.save(args.output / "thresholds.json")
    if not args.weights.endswith(".weights.h5"):
        keras_hpa.convert_gapnet_pl(args.weights, args.output / "gapnet_pl.weights.h5")


def load(args: argparse.Namespace) -> tuple[keras_hpa.Source, np.ndarray]:
    if args.data is not None:
        return keras_hpa.load_kaggle(args.data)
    size = (args.image_size, args.image_size)
    source = keras_hpa.SyntheticAtlas(args.synthetic, image_size=size, seed=args.seed, balance="uniform")
    return source, source.labels


if __name__ == "__main__":
    main()
