"""A network that knows ImageNet, widened to four channels and pooled at many depths.

    python examples/imagenet_four_channels.py --data KAGGLE_FOLDER --output out
    python examples/imagenet_four_channels.py --output out --quick --weights none

What the winners of the atlas challenge shared: an ImageNet backbone whose first convolution takes yellow as it takes
red, and the eight symmetries of the square. The head learns first, then everything while the backbone's BatchNorm
stays as it was. `--weights none` starts at random, where ImageNet's weights cannot be downloaded. Without --data a set
of drawn cells takes the place of Kaggle's folder.
"""

import argparse
from collections.abc import Sequence
from functools import partial

import keras
import training_run

import keras_hpa

DEFAULTS = {"image_size": 224, "batch_size": 8, "epochs": (3, 5), "steps": 0, "learning_rate": 1e-3}
QUICK = {"image_size": 96, "epochs": 2, "steps": 15}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training_run.add_kaggle_options(parser)
    parser.add_argument("--backbone", default="MobileNetV2", help="a network of keras.applications")
    parser.add_argument("--weights", default="imagenet", help="imagenet, none, or the backbone's weights file")
    parser.add_argument("--learning-rate", type=float)
    run = training_run.choose_settings(parser.parse_args(argv), DEFAULTS, QUICK)
    training_run.prepare_output(run)
    keras.utils.set_random_seed(run.seed)

    samples = training_run.packed(run, keras_hpa.load_kaggle(training_run.data_folder(run)))
    training, validation = samples.split(validation_size=0.25, seed=run.seed)
    sequence = partial(training_run.make_sequence, run, dtype="source")
    validated = sequence(validation)

    random_start = run.weights == "none"
    model = keras_hpa.PretrainedClassifier(
        run.backbone,
        (run.image_size, run.image_size, 4),
        num_classes=len(samples.class_names),
        weights=None if random_start else run.weights,
        adapter="inflate",
        head="multi-level",
        input_dtype="uint8",
    )
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras_hpa.MacroF1()]
    # Statistics that nothing was learned with are worth nothing: a random start lets them learn.
    frozen_norms = () if random_start else norms_of_backbone(model)
    stages = {"head": ("backbone", run.learning_rate), "everything": (frozen_norms, run.learning_rate / 10)}
    histories = {}
    for number, (stage, (frozen, learning_rate)) in enumerate(stages.items(), start=1):
        keras_hpa.train_only(model, freeze=frozen)
        model.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy", metrics=metrics)
        histories[stage] = training_run.fit(
            model,
            sequence(training, shuffle=True, augment="dihedral", batches_per_epoch=run.steps or None),
            run=run,
            stage=number,
            epochs=training_run.epochs_of_stages(run, len(stages))[number - 1],
            validation_data=validated,
        )
    keras_hpa.reestimate_batch_norm(model, sequence(training))

    scores = model.predict(validated)
    calibrator = keras_hpa.ThresholdCalibrator("prevalence", class_names=samples.class_names)
    calibrator.fit(scores, validation.labels)
    title = f"{run.backbone} on four channels"
    training_run.write_results(
        run, title, model, calibrator, validated, scores, histories, training_samples=len(training)
    )


def norms_of_backbone(model: keras.Model) -> list[str]:
    layers = model.get_layer("backbone").layers
    return [f"backbone/{layer.name}" for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


if __name__ == "__main__":
    main()
