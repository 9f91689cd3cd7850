"""Rebuilds the GapNet of the report: from Kaggle's folder to a trained network, thresholds and a submission.

    python examples/report_gapnet.py --data KAGGLE_FOLDER --output out            as the report trained it
    python examples/report_gapnet.py --data KAGGLE_FOLDER --output out --quick    minutes on a laptop

The folder holds train.csv, train/{id}_{red,green,blue,yellow}.png, sample_submission.csv and test/; without --data a
small set of drawn cells takes its place.
`--preset kernel` is the Kaggle kernel that the report started from.
"""

import argparse
from collections.abc import Sequence
from functools import partial
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
    run = training_run.choose_settings(args, PRESETS[args.preset], QUICK)
    training_run.prepare_output(run)
    keras.utils.set_random_seed(run.seed)

    # The notebooks shuffled the ids and then did not use them: the validation set is the tail of train.csv.
    folder = training_run.data_folder(run)
    samples = training_run.packed(run, keras_hpa.load_kaggle(folder))
    num_training = int((1 - run.validation_share) * len(samples))
    training, validation = samples[:num_training], samples[num_training:]
    sequence = partial(training_run.make_sequence, run)

    model = keras_hpa.GapNet(
        (run.image_size, run.image_size, 4),
        num_classes=len(samples.class_names),
        variant="report",
        weights=run.weights,
        batch_norm_momentum=run.batch_norm_momentum,
    )
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras_hpa.MacroF1(), keras_hpa.BatchMacroF1()]
    # In training the notebooks looked at the first eight batches of the validation set only.
    watched = sequence(validation[: 8 * run.batch_size])

    # Stage one: everything learns, by binary cross-entropy.
    model.compile(keras.optimizers.Adam(run.learning_rate), loss="binary_crossentropy", metrics=metrics)
    best = keras.callbacks.ModelCheckpoint(run.output / "best.keras", "val_loss", mode="min", save_best_only=True)
    history = training_run.fit(
        model,
        sequence(training, shuffle=True, batches_per_epoch=run.steps or None),
        run=run,
        stage=1,
        epochs=run.epochs,
        callbacks=[keras_hpa.ReduceLR("report"), best] if run.reduce_lr else [best],
        validation_data=watched,
    )

    # Stage two: the head alone, one pass, by one minus the soft macro-F1 of each batch. It goes on with the last epoch,
    # as the notebooks did; the best one stays in best.keras.
    keras_hpa.train_only(model, HEAD)
    model.compile(keras.optimizers.Adam(1e-4), loss=keras_hpa.MacroF1Loss("report"), metrics=metrics)
    history_of_head = training_run.fit(
        model,
        sequence(training, shuffle=True),
        run=run,
        stage=2,
        epochs=1,
        validation_data=watched,
    )

    # One threshold per class, and with them the labels of the test set.
    validated = sequence(validation)
    scores = model.predict(validated)
    calibrator = keras_hpa.ThresholdCalibrator("report", intercept=run.intercept, class_names=samples.class_names).fit(
        scores, validation.labels
    )
    test = keras_hpa.load_kaggle(folder, "test")
    predicted = calibrator.predict(model.predict(sequence(test)))
    keras_hpa.write_submission(run.output / "submission.csv", test.ids, predicted)

    histories = {"stage 1": history, "stage 2": history_of_head}
    training_run.write_results(
        run,
        f"GapNet, preset {run.preset}",
        model,
        calibrator,
        validated,
        scores,
        histories,
        training_samples=len(training),
    )


if __name__ == "__main__":
    main()
