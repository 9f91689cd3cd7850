"""Rebuilds the GapNet of the report: from Kaggle's folder to a trained network, thresholds and a submission.

    python examples/report_gapnet.py --data KAGGLE_FOLDER --output out            as the report trained it
    python examples/report_gapnet.py --data KAGGLE_FOLDER --output out --quick    minutes on a laptop

The folder holds train.csv, train/{id}_{red,green,blue,yellow}.png, sample_submission.csv and test/; without --data a
small set of drawn cells takes its place.
`--preset kernel` is the Kaggle kernel that the report started from.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import training_run

import keras_hpa

PRESETS = {
    "report": {
        "image_size": 512,
        "batch_size": 32,
        "epochs": 100,
        "steps": 100,
        "learning_rate": 1e-3,
        "reduce_lr": True,
        "validation_share": 0.2,
        "intercept": 1e-4,
        "batch_norm_momentum": 0.99,
    },
    "kernel": {
        "image_size": 512,
        "batch_size": 32,
        "epochs": 20,
        "steps": 0,
        "learning_rate": 1e-4,
        "reduce_lr": False,
        "validation_share": 0.1,
        "intercept": 0.0,
        "batch_norm_momentum": 0.99,
    },
}
# With momentum .99 BatchNorm's moving statistics can be used after some 500 steps.
QUICK = {"image_size": 128, "batch_size": 8, "epochs": 8, "steps": 6, "batch_norm_momentum": 0.9}
HEAD = ["head_dense1", "head_norm2", "head_dense2", "logits"]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training_run.add_kaggle_options(parser)
    parser.add_argument("--preset", choices=PRESETS, default="report")
    parser.add_argument("--weights", type=Path, help="a .weights.h5 file of this network to start from")
    parser.add_argument("--batch-norm-momentum", type=float)
    args = parser.parse_args(argv)
    settings = training_run.choose_settings(args, PRESETS[args.preset], QUICK)
    run = training_run.TrainingRun(settings)
    keras.utils.set_random_seed(settings.seed)

    # The notebooks shuffled the ids and then did not use them: the validation set is the tail of train.csv.
    folder, samples = training_run.load_kaggle(settings)
    num_training = int((1 - settings.validation_share) * len(samples))
    training, validation = samples[:num_training], samples[num_training:]
    batching = training_run.batching(settings)

    model = keras_hpa.GapNet(
        (settings.image_size, settings.image_size, 4),
        num_classes=len(samples.class_names),
        variant="report",
        weights=settings.weights,
        batch_norm_momentum=settings.batch_norm_momentum,
    )
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras_hpa.MacroF1(), keras_hpa.BatchMacroF1()]
    # In training the notebooks looked at the first eight batches of the validation set only.
    watched = validation[: 8 * settings.batch_size].batches(**batching)

    # Stage one: everything learns, by binary cross-entropy.
    model.compile(keras.optimizers.Adam(settings.learning_rate), loss="binary_crossentropy", metrics=metrics)
    best = training_run.KeepBest(run.folder / "best.keras")
    history = run.fit(
        model,
        training.batches(shuffle=True, batches_per_epoch=settings.steps or None, **batching),
        stage=1,
        epochs=settings.epochs,
        callbacks=[keras_hpa.ReduceLR("report"), best] if settings.reduce_lr else [best],
        validation_data=watched,
    )

    # Stage two: the head alone, one pass, by one minus the soft macro-F1 of each batch. It goes on with the last epoch,
    # as the notebooks did; the best one stays in best.keras.
    keras_hpa.train_only(model, HEAD)
    model.compile(keras.optimizers.Adam(1e-4), loss=keras_hpa.MacroF1Loss("report"), metrics=metrics)
    history_of_head = run.fit(
        model, training.batches(shuffle=True, **batching), stage=2, epochs=1, validation_data=watched
    )
    run.save_model(model)

    # One threshold per class, and with them the labels of the test set.
    validated = validation.batches(**batching)
    scores = model.predict(validated)
    rule = keras_hpa.thresholds.ReportGrid(settings.intercept)
    calibrator = keras_hpa.ThresholdCalibrator(rule, class_names=samples.class_names).fit(scores, validation.labels)
    test = keras_hpa.load_kaggle(folder, "test")
    predicted = calibrator.predict(model.predict(test.batches(**batching)))
    keras_hpa.write_submission(run.folder / "submission.csv", test.ids, predicted)

    run.write_results(
        f"GapNet, preset {settings.preset}",
        model,
        calibrator,
        validation,
        scores,
        {"stage 1": history, "stage 2": history_of_head},
        batches=validated,
        training_samples=len(training),
    )


if __name__ == "__main__":
    main()
