"""Shows that GapNet learns: it memorizes 16 real samples, as `predict` sees them.

    python benchmarks/gapnet_learns.py --data KAGGLE_FOLDER

Prints macro-F1 at 0.5 over the classes present, through `predict`, so that BatchNorm's moving statistics count.
"""

import argparse
from pathlib import Path

import keras
from trials import macro_f1

import keras_hpa


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Kaggle's folder")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--epochs", type=int, default=150)
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    samples = keras_hpa.load_kaggle(args.data)[:16]
    labels, sequence = samples.labels, samples.batches(batch_size=16, image_size=args.image_size)
    model = keras_hpa.GapNet(
        (args.image_size, args.image_size, 4), num_classes=28, variant="report", batch_norm_momentum=0.9
    )
    model.compile("adam", loss="binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    images, _ = sequence[0]
    model.fit(images, labels, batch_size=16, epochs=args.epochs, verbose=2)
    predicted = model.predict(sequence, verbose=0) >= 0.5
    present = labels.any(axis=0)
    score = macro_f1(labels[:, present], predicted[:, present])
    print(f"macro-F1 over the {present.sum()} classes of 16 samples after {args.epochs} steps, by predict: {score:.3f}")


if __name__ == "__main__":
    main()
