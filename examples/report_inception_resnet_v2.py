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
        "rule": keras_hpa.thresholds.ReportGrid(intercept=1e-4),
        "epochs": (50,),
        "stages": [{"learning_rate": 1e-3, "frozen": False, "augmented": True, "reduce_lr": True}],
    },
    "kernel": {
        "image_size": 299,
        "batch_size": 10,
        "steps": 100,
        "reestimate_batch_norm": False,
        "matrix": "kernel",
        "rule": keras_hpa.thresholds.Fixed(0.2),
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
    settings = training_run.choose_settings(args, PRESETS[args.preset], QUICK)
    run = training_run.TrainingRun(settings)
    keras.utils.set_random_seed(settings.seed)

    reading = {"interpolation": "bilinear"}
    folder, samples = training_run.load_kaggle(settings, **reading)
    parts = train_test_split(np.arange(len(samples)), test_size=0.2, random_state=42)
    training, validation = (samples[positions] for positions in parts)
    batching = training_run.batching(settings) | reading

    model = keras_hpa.PretrainedClassifier(
        settings.backbone,
        (settings.image_size, settings.image_size, 4),
        num_classes=len(samples.class_names),
        weights=None if settings.weights == "none" else settings.weights,
        adapter="mixer",
        matrix=settings.matrix,
        head="report",
    )
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras_hpa.MacroF1(), keras_hpa.BatchMacroF1()]
    # In training the notebooks looked at one batch of 256 validation samples, drawn with replacement.
    drawn = np.random.default_rng(42).integers(len(validation), size=256)
    watched = validation.batches(sampler=lambda rng, num_samples: drawn, **batching)

    best = training_run.KeepBest(run.folder / "best.weights.h5")
    histories = {}
    for number, stage in enumerate(settings.stages, start=1):
        keras_hpa.train_only(model, freeze="backbone" if stage["frozen"] else ())
        model.compile(keras.optimizers.Adam(stage["learning_rate"]), loss="binary_crossentropy", metrics=metrics)
        histories[f"stage {number}"] = run.fit(
            model,
            training.batches(
                sampler="with_replacement",
                batches_per_epoch=settings.steps or None,
                augment=rotate_or_flip if stage["augmented"] else None,
                **batching,
            ),
            stage=number,
            epochs=settings.epochs,
            callbacks=[keras_hpa.ReduceLR("report"), best] if stage["reduce_lr"] else [best],
            validation_data=watched,
        )
    if best.path.exists():
        model.load_weights(best.path)
    if settings.reestimate_batch_norm:
        keras_hpa.reestimate_batch_norm(model, training.batches(**batching), verbose=1)
    run.save_model(model)

    # The report: one threshold per class. The kernel: 0.2 for all.
    validated = validation.batches(**batching)
    scores = model.predict(validated)
    calibrator = keras_hpa.ThresholdCalibrator(settings.rule, class_names=samples.class_names)
    calibrator.fit(scores, validation.labels)
    test = keras_hpa.load_kaggle(folder, "test")
    predicted = calibrator.predict(model.predict(test.batches(**batching)))
    keras_hpa.write_submission(run.folder / "submission.csv", test.ids, predicted)
    run.write_results(
        f"{settings.backbone}, preset {settings.preset}",
        model,
        calibrator,
        validation,
        scores,
        histories,
        batches=validated,
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
