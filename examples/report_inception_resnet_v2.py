"""Rebuilds the InceptionResNetV2 of the report: four channels mixed to three, under ImageNet weights.

    python examples/report_inception_resnet_v2.py --data KAGGLE_FOLDER --output out
    python examples/report_inception_resnet_v2.py --data KAGGLE_FOLDER --output out --quick --weights none

The folder holds train.csv, train/{id}_{red,green,blue,yellow}.png, sample_submission.csv and test/; without --data a
small set of drawn cells takes its place.
`--preset kernel` is the Kaggle kernel that the report started from. `--backbone` takes any network of
keras.applications.
"""

import argparse
from collections.abc import Sequence
from functools import partial

import keras
import numpy as np
import training_run
from sklearn.model_selection import train_test_split

import keras_hpa

PRESETS = {
    "report": {
        "image_size": 299,
        "batch_size": 20,
        "steps": 100,
        "reestimate_batch_norm": False,
        "matrix": "report",
        "thresholds": {"method": "report", "intercept": 1e-4},
        "epochs": (50,),
        "stages": [{"learning_rate": 1e-3, "frozen": False, "augmented": True, "reduce_lr": True}],
    },
    "kernel": {
        "image_size": 299,
        "batch_size": 10,
        "steps": 100,
        "reestimate_batch_norm": False,
        "matrix": "kernel",
        "thresholds": {"method": "fixed", "thresholds": 0.2},
        "epochs": (15, 180),
        "stages": [
            {"learning_rate": 1e-3, "frozen": True, "augmented": False, "reduce_lr": False},
            {"learning_rate": 1e-4, "frozen": False, "augmented": True, "reduce_lr": False},
        ],
    },
}
# A few steps are too few for BatchNorm's moving statistics.
QUICK = {"image_size": 96, "batch_size": 8, "epochs": 2, "steps": 8, "reestimate_batch_norm": True}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training_run.add_kaggle_options(parser)
    parser.add_argument("--preset", choices=PRESETS, default="report")
    parser.add_argument("--backbone", default="InceptionResNetV2", help="a network of keras.applications")
    parser.add_argument("--weights", default="imagenet", help="imagenet, none, or the backbone's weights file")
    parser.add_argument(
        "--reestimate-batch-norm", action="store_true", default=None, help="for trainings of less than 1,000 steps"
    )
    args = parser.parse_args(argv)
    run = training_run.choose_settings(args, PRESETS[args.preset], QUICK)
    training_run.prepare_output(run)
    keras.utils.set_random_seed(run.seed)

    folder = training_run.data_folder(run)
    reading = {"interpolation": "bilinear"}
    samples = training_run.packed(run, keras_hpa.load_kaggle(folder), **reading)
    parts = train_test_split(np.arange(len(samples)), test_size=0.2, random_state=42)
    training, validation = (samples[positions] for positions in parts)
    sequence = partial(training_run.make_sequence, run, **reading)

    model = keras_hpa.PretrainedClassifier(
        run.backbone,
        (run.image_size, run.image_size, 4),
        num_classes=len(samples.class_names),
        weights=None if run.weights == "none" else run.weights,
        adapter="mixer",
        matrix=run.matrix,
        head="report",
    )
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras_hpa.MacroF1(), keras_hpa.BatchMacroF1()]
    # In training the notebooks looked at one batch of 256 validation samples, drawn with replacement.
    drawn = np.random.default_rng(42).integers(len(validation), size=256)
    watched = sequence(validation, sampler=lambda rng, num_samples: drawn)

    best_path = run.output / "best.weights.h5"
    best = keras.callbacks.ModelCheckpoint(
        best_path, "val_loss", mode="min", save_best_only=True, save_weights_only=True
    )
    histories = {}
    epochs_of_stages = training_run.epochs_of_stages(run, len(run.stages))
    for number, (stage, epochs) in enumerate(zip(run.stages, epochs_of_stages, strict=True), start=1):
        keras_hpa.train_only(model, freeze="backbone" if stage["frozen"] else ())
        model.compile(keras.optimizers.Adam(stage["learning_rate"]), loss="binary_crossentropy", metrics=metrics)
        histories[f"stage {number}"] = training_run.fit(
            model,
            sequence(
                training,
                sampler="with_replacement",
                batches_per_epoch=run.steps or None,
                augment=rotate_or_flip if stage["augmented"] else None,
            ),
            run=run,
            stage=number,
            epochs=epochs,
            callbacks=[keras_hpa.ReduceLR("report"), best] if stage["reduce_lr"] else [best],
            validation_data=watched,
        )
    if best_path.exists():
        model.load_weights(best_path)
    if run.reestimate_batch_norm:
        keras_hpa.reestimate_batch_norm(model, sequence(training), verbose=1)

    # The report: one threshold per class. The kernel: 0.2 for all.
    validated = sequence(validation)
    scores = model.predict(validated)
    calibrator = keras_hpa.ThresholdCalibrator(**run.thresholds, class_names=samples.class_names)
    calibrator.fit(scores, validation.labels)
    test = keras_hpa.load_kaggle(folder, "test")
    predicted = calibrator.predict(model.predict(sequence(test)))
    keras_hpa.write_submission(run.output / "submission.csv", test.ids, predicted)
    training_run.write_results(
        run,
        f"{run.backbone}, preset {run.preset}",
        model,
        calibrator,
        validated,
        scores,
        histories,
        training_samples=len(training),
    )


def rotate_or_flip(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """One of: a rotation by 0, 90, 180 or 270 degrees; a flip left-right; a flip up-down, half of the time each."""
    choice = rng.integers(6)
    if choice < 4:
        return np.rot90(image, choice)
    return np.flip(image, axis=5 - choice) if rng.random() < 0.5 else image


if __name__ == "__main__":
    main()
