"""The tutorial as one script: draws a data set, trains a network, fits thresholds, writes a submission, compares.

    python examples/tutorial.py --output tutorial            twenty minutes on a laptop
    python examples/tutorial.py --output tutorial --quick    less than one, to see that it runs

The page docs/tutorial.md and the notebook docs/tutorial.ipynb are cut from it.
"""

import argparse
from collections.abc import Sequence

# --8<-- [start:imports]
from pathlib import Path

import keras
import numpy as np

import keras_hpa
from keras_hpa.thresholds import Fixed

# --8<-- [end:imports]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("tutorial"))
    parser.add_argument("--quick", action="store_true", help="fewer and smaller drawings, one epoch")
    args = parser.parse_args(argv)

    # --8<-- [start:settings]
    folder = Path("tutorial")
    num_samples, num_new, image_size, epochs = 2400, 100, 128, 20
    keras.utils.set_random_seed(0)
    # --8<-- [end:settings]
    folder = args.output
    if args.quick:
        num_samples, num_new, image_size, epochs = 120, 20, 48, 1

    # --8<-- [start:draw]
    atlas = keras_hpa.SyntheticAtlas(num_samples + num_new, image_size=image_size, balance="uniform")
    atlas.save(folder / "data", num_test=num_new)
    # --8<-- [end:draw]

    # --8<-- [start:load]
    samples = keras_hpa.load_kaggle(folder / "data")
    print(samples)
    print(samples.labels.sum(axis=1).mean().round(2), "labels a sample, samples of each class:")
    print(samples.labels.sum(axis=0))
    # --8<-- [end:load]

    # --8<-- [start:channels]
    names = [samples.class_names[number] for number in np.flatnonzero(samples.labels[0])]
    figure = keras_hpa.plots.plot_channels(samples.read(0), samples.channels, title=", ".join(names))
    figure.savefig(folder / "channels.png")
    # --8<-- [end:channels]

    # --8<-- [start:split]
    train, validation, test = samples.split(validation_size=1 / 6, test_size=1 / 6)
    for name, part in (("train", train), ("validate", validation), ("test", test)):
        print(f"{len(part)} to {name}, the rarest class {part.labels.sum(axis=0).min()} times")
    # --8<-- [end:split]

    # --8<-- [start:sequences]
    train_batches = train.batches(image_size=image_size, shuffle=True, augment="dihedral", dtype="source")
    validation_batches = validation.batches(image_size=image_size, dtype="source")
    images, targets = train_batches[0]
    print(images.shape, images.dtype, targets.shape)
    # --8<-- [end:sequences]

    # --8<-- [start:model]
    model = keras_hpa.GapNet(
        (image_size, image_size, 4),
        num_classes=28,
        input_dtype="uint8",
        preprocessing=keras_hpa.ImageStandardization(),
        dropout=0.0,
        head_dropout=(0.0, 0.0),
    )
    steps = epochs * len(train_batches)
    warm_up = max(1, steps // 10)
    rate = keras.optimizers.schedules.CosineDecay(1e-4, steps - warm_up, warmup_target=3e-3, warmup_steps=warm_up)
    model.compile(keras.optimizers.Adam(rate), loss="binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    print(f"{model.count_params():,} parameters")
    # --8<-- [end:model]

    # --8<-- [start:fit]
    history = model.fit(train_batches, validation_data=validation_batches, epochs=epochs, verbose=2).history
    figure = keras_hpa.plots.plot_learning_curves(history, ["loss", "macro_f1"])
    figure.savefig(folder / "learning_curves.png")
    model.save(folder / "model.keras")
    # --8<-- [end:fit]

    # --8<-- [start:thresholds]
    scores = keras_hpa.predict_scores(model, validation_batches, "dihedral", verbose=0)
    calibrator = keras_hpa.ThresholdCalibrator(class_names=samples.class_names)
    calibrator.fit(scores, validation.labels)
    calibrator.save(folder / "thresholds.json")
    figure = keras_hpa.plots.plot_thresholds(calibrator)
    figure.savefig(folder / "thresholds.png")
    # --8<-- [end:thresholds]

    # --8<-- [start:test]
    test_batches = test.batches(image_size=image_size, dtype="source")
    test_scores = keras_hpa.predict_scores(model, test_batches, "dihedral", verbose=0)
    # --8<-- [end:test]

    # --8<-- [start:report]
    print(calibrator.report(test_scores, test.labels))
    half = keras_hpa.ThresholdCalibrator(Fixed(0.5)).fit(scores, validation.labels)
    everything = keras_hpa.ThresholdCalibrator(Fixed(0.0)).fit(scores, validation.labels)
    print(f"macro-F1 expected by cross_fit    {keras_hpa.cross_fit('auto', scores, validation.labels):.3f}")
    print(f"macro-F1 at fitted thresholds     {calibrator.score(test_scores, test.labels):.3f}")
    print(f"macro-F1 at 0.5 for all           {half.score(test_scores, test.labels):.3f}")
    print(f"macro-F1 of predicting everything {everything.score(test_scores, test.labels):.3f}")
    # --8<-- [end:report]

    # --8<-- [start:submission]
    new = keras_hpa.load_kaggle(folder / "data", "test")
    new_batches = new.batches(image_size=image_size, dtype="source")
    new_scores = keras_hpa.predict_scores(model, new_batches, "dihedral", verbose=0)
    keras_hpa.write_submission(folder / "submission.csv", new.ids, calibrator.predict(new_scores))
    print(*(folder / "submission.csv").read_text().splitlines()[:4], sep="\n")
    # --8<-- [end:submission]

    # --8<-- [start:plain]
    plain = keras_hpa.GapNet((image_size, image_size, 4), num_classes=28, input_dtype="uint8")
    plain.compile("adam", loss="binary_crossentropy")
    plain.fit(train_batches, epochs=epochs, verbose=0)
    scores = keras_hpa.predict_scores(plain, validation_batches, "dihedral", verbose=0)
    plain_calibrator = keras_hpa.ThresholdCalibrator().fit(scores, validation.labels)
    plain_scores = keras_hpa.predict_scores(plain, test_batches, "dihedral", verbose=0)
    # --8<-- [end:plain]

    # --8<-- [start:compare]
    first, second = plain_calibrator.predict(plain_scores), calibrator.predict(test_scores)
    comparison = keras_hpa.evaluation.compare(first, second, test)
    print(comparison.sentence())
    # --8<-- [end:compare]
    np.savez_compressed(folder / "comparison.npz", first=first, second=second, labels=test.labels)


if __name__ == "__main__":
    main()
