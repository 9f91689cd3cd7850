"""A network that knows ImageNet, widened to four channels and pooled at many depths.

    python examples/imagenet_four_channels.py --data KAGGLE_FOLDER --output out
    python examples/imagenet_four_channels.py --synthetic 200 --weights none --output out

What the winners of the atlas challenge shared: an ImageNet backbone whose first convolution takes yellow as it takes
red, and the eight symmetries of the square. The head learns first, then everything while the backbone's BatchNorm
stays as it was. `--weights none` starts at random, where ImageNet's weights cannot be downloaded.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

import keras_hpa


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    images = parser.add_mutually_exclusive_group(required=True)
    images.add_argument("--data", type=Path, help="Kaggle's folder: train.csv and train/")
    images.add_argument("--synthetic", type=int, help="draw this many images instead")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--backbone", default="MobileNetV2", help="a network of keras.applications")
    parser.add_argument(
        "--weights", default="imagenet", help='"imagenet", a file of the backbone without its top, none'
    )
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--epochs", type=int, nargs=2, default=(3, 5), help="of the head alone, of everything")
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

    random_start = args.weights == "none"
    model = keras_hpa.PretrainedClassifier(
        args.backbone,
        (args.image_size, args.image_size, 4),
        num_classes=labels.shape[1],
        weights=None if random_start else args.weights,
        adapter="inflate",
        head="multi-level",
        input_dtype="uint8",
    )
    keras_hpa.train_only(model, freeze="backbone")
    compile_and_fit(
        model, args.learning_rate, args.epochs[0], sequence(training, shuffle=True, augment=rotate_and_flip)
    )
    # Statistics that nothing was learned with are worth nothing: a random start lets them learn.
    keras_hpa.train_only(model, freeze=() if random_start else norms_of_backbone(model))
    compile_and_fit(
        model, args.learning_rate / 10, args.epochs[1], sequence(training, shuffle=True, augment=rotate_and_flip)
    )
    keras_hpa.reestimate_batch_norm(model, sequence(training))

    scores = model.predict(sequence(validation))
    calibrator = keras_hpa.ThresholdCalibrator("prevalence").fit(scores, labels[validation])
    present = labels[validation].any(axis=0)
    macro_f1 = keras_hpa.MacroF1()
    macro_f1.update_state(labels[validation][:, present], calibrator.predict(scores)[:, present].astype("float32"))
    print(f"macro-F1 over the {present.sum()} classes in validation: {float(macro_f1.result()):.3f}")
    model.save(args.output / "model.keras")
    calibrator.save(args.output / "thresholds.json")


def compile_and_fit(
    model: keras.Model, learning_rate: float, epochs: int, training: keras_hpa.MultiChannelSequence
) -> None:
    model.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    model.fit(training, shuffle=False, epochs=epochs)


def norms_of_backbone(model: keras.Model) -> list[str]:
    layers = model.get_layer("backbone").layers
    return [f"backbone/{layer.name}" for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


def rotate_and_flip(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of the eight symmetries of the square, all equally likely: cells have no up or down."""
    image = np.rot90(image, rng.integers(4))
    return image[:, ::-1] if rng.random() < 0.5 else image


def load(args: argparse.Namespace) -> tuple[keras_hpa.Source, np.ndarray]:
    if args.data is not None:
        return keras_hpa.load_kaggle(args.data)
    size = (args.image_size, args.image_size)
    source = keras_hpa.SyntheticAtlas(args.synthetic, image_size=size, seed=args.seed, balance="uniform")
    return source, source.labels


if __name__ == "__main__":
    main()
