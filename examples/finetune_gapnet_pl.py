"""Teaches the published GapNet-PL, which knows real cells, classes of one's own.

    python examples/finetune_gapnet_pl.py --weights models/gapnet-pl.ckpt --data KAGGLE_FOLDER --output out
    python examples/finetune_gapnet_pl.py --weights models/gapnet-pl.ckpt --output out --quick

The checkpoint is that of https://github.com/ml-jku/gapnet-pl (models/gapnet-pl.ckpt.*). First the new classes are
learned on top of the old features, then everything at a tenth of the learning rate. Without --data a set of drawn cells
takes the place of Kaggle's folder. Beside the model lie converted weights, which need no TensorFlow.
"""

import argparse
from collections.abc import Sequence

import keras
import training_run

import keras_hpa

DEFAULTS = {"image_size": 256, "batch_size": 8, "epochs": (5, 5), "steps": 0, "learning_rate": 1e-3}
QUICK = {"image_size": 128, "epochs": 1, "steps": 10}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training_run.add_kaggle_options(parser)
    parser.add_argument("--weights", required=True, help="the checkpoint's prefix, or a converted .weights.h5 file")
    parser.add_argument("--scale", type=float, default=2.0, help="how far images are enlarged for the network")
    parser.add_argument("--learning-rate", type=float)
    settings = training_run.choose_settings(parser.parse_args(argv), DEFAULTS, QUICK)
    run = training_run.TrainingRun(settings)
    keras.utils.set_random_seed(settings.seed)

    _, samples = training_run.load_kaggle(settings)
    training, validation = samples.split(validation_size=0.25, seed=settings.seed)
    batching = training_run.batching(settings) | {"dtype": "source"}
    validated = validation.batches(**batching)

    model = keras_hpa.GapNet(
        (settings.image_size, settings.image_size, 4),
        num_classes=len(samples.class_names),
        variant="gapnet-pl",
        weights=settings.weights,
        weights_num_classes=13,
        preprocessing=keras_hpa.gapnet_pl.GapNetPLPreprocessing(settings.scale, name="preprocessing"),
        input_dtype="uint8",
    )
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras_hpa.MacroF1()]
    stages = {"new classes": ("logits", settings.learning_rate), "everything": ("*", settings.learning_rate / 10)}
    histories = {}
    for number, (stage, (layers, learning_rate)) in enumerate(stages.items(), start=1):
        keras_hpa.train_only(model, layers)
        optimizer = keras.optimizers.Adam(learning_rate, clipnorm=5.0)
        model.compile(optimizer, "binary_crossentropy", metrics=metrics)
        histories[stage] = run.fit(
            model,
            training.batches(shuffle=True, batches_per_epoch=settings.steps or None, **batching),
            stage=number,
            epochs=settings.epochs,
            validation_data=validated,
        )

    run.save_model(model)

    scores = model.predict(validated)
    calibrator = keras_hpa.ThresholdCalibrator("prevalence", class_names=samples.class_names)
    calibrator.fit(scores, validation.labels)
    if not settings.weights.endswith(".weights.h5"):
        keras_hpa.gapnet_pl.convert_gapnet_pl(settings.weights, run.folder / "gapnet_pl.weights.h5")
    run.write_results(
        "GapNet-PL, fine-tuned",
        model,
        calibrator,
        validation,
        scores,
        histories,
        batches=validated,
        training_samples=len(training),
    )


if __name__ == "__main__":
    main()
