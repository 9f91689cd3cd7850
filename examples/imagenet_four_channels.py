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
    settings = training_run.choose_settings(parser.parse_args(argv), DEFAULTS, QUICK)
    run = training_run.TrainingRun(settings)
    keras.utils.set_random_seed(settings.seed)

    _, samples = training_run.load_kaggle(settings)
    training, validation = samples.split(validation_size=0.25, seed=settings.seed)
    batching = training_run.batching(settings) | {"dtype": "source"}
    validated = validation.batches(**batching)

    random_start = settings.weights == "none"
    model = keras_hpa.PretrainedClassifier(
        settings.backbone,
        (settings.image_size, settings.image_size, 4),
        num_classes=len(samples.class_names),
        weights=None if random_start else settings.weights,
        adapter="inflate",
        head="multi-level",
        input_dtype="uint8",
    )
    metrics = [keras.metrics.BinaryAccuracy(name="accuracy"), keras_hpa.MacroF1()]
    # Statistics that nothing was learned with are worth nothing: a random start lets them learn.
    frozen_norms = () if random_start else norms_of_backbone(model)
    stages = {"head": ("backbone", settings.learning_rate), "everything": (frozen_norms, settings.learning_rate / 10)}
    histories = {}
    for number, (stage, (frozen, learning_rate)) in enumerate(stages.items(), start=1):
        keras_hpa.train_only(model, freeze=frozen)
        model.compile(keras.optimizers.Adam(learning_rate), "binary_crossentropy", metrics=metrics)
        histories[stage] = run.fit(
            model,
            training.batches(shuffle=True, augment="dihedral", batches_per_epoch=settings.steps or None, **batching),
            stage=number,
            epochs=settings.epochs,
            validation_data=validated,
        )
    keras_hpa.reestimate_batch_norm(model, training.batches(**batching))

    run.save_model(model)

    scores = model.predict(validated)
    calibrator = keras_hpa.ThresholdCalibrator("prevalence", class_names=samples.class_names)
    calibrator.fit(scores, validation.labels)
    title = f"{settings.backbone} on four channels"
    run.write_results(
        title,
        model,
        calibrator,
        validation,
        scores,
        histories,
        batches=validated,
        training_samples=len(training),
    )


def norms_of_backbone(model: keras.Model) -> list[str]:
    layers = model.get_layer("backbone").layers
    return [f"backbone/{layer.name}" for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


if __name__ == "__main__":
    main()
