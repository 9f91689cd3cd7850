"""Trains a classifier on anybody's images: a folder, a CSV of labels, any channels, any classes.

    python examples/own_images.py --images plates --labels plates.csv --channels dapi,gfp,tubulin \
        --pattern "{id}_{channel}.png" --id-column image --label-column locations --separator ";" --output out

The table has a row per sample: its id, and its labels as names or numbers. The classes are those that occur in it.
`--predict FOLDER` names images of the same channels without labels; theirs go to predictions.csv.
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import keras
import training_run

import keras_hpa
from keras_hpa.files import write_csv

DEFAULTS = {"image_size": 256, "batch_size": 16, "epochs": 40, "steps": 0, "batch_norm_momentum": 0.9}
QUICK = {"image_size": 128, "batch_size": 8, "epochs": 4}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder with the images")
    parser.add_argument("--labels", type=Path, required=True, help="CSV file with a header and a row per sample")
    parser.add_argument("--channels", required=True, help="names of the channels, separated by commas")
    parser.add_argument("--pattern", default="{id}_{channel}.png", help="an image's path below its folder")
    parser.add_argument("--id-column", default="Id")
    parser.add_argument("--label-column", default="Target")
    parser.add_argument("--separator", default=" ", help="what stands between two labels of a sample")
    parser.add_argument("--predict", type=Path, help="folder with images whose labels are wanted")
    training_run.add_options(parser)
    args = parser.parse_args(argv)
    settings = training_run.choose_settings(args, DEFAULTS, QUICK)
    run = training_run.TrainingRun(settings)
    keras.utils.set_random_seed(settings.seed)

    channels = settings.channels.split(",")
    samples = keras_hpa.load_folder(
        settings.images,
        settings.labels,
        channels=channels,
        pattern=settings.pattern,
        id_column=settings.id_column,
        label_column=settings.label_column,
        separator=settings.separator,
    )
    class_names, num_classes = samples.class_names, samples.labels.shape[1]
    training, validation = training_run.packed(settings, samples).split(validation_size=0.25, seed=settings.seed)
    print(f"{len(training)} samples to train on, {len(validation)} to validate on")
    print(f"{num_classes} classes: {', '.join(class_names or map(str, range(num_classes)))}")

    batching = training_run.batching(settings)
    validated = validation.batches(**batching)

    model = keras_hpa.GapNet(
        (settings.image_size, settings.image_size, len(channels)),
        num_classes=num_classes,
        batch_norm_momentum=settings.batch_norm_momentum,
    )
    accuracy = keras.metrics.BinaryAccuracy(name="accuracy")
    model.compile("adam", loss="binary_crossentropy", metrics=[accuracy, keras_hpa.MacroF1()])
    history = run.fit(
        model,
        training.batches(shuffle=True, augment="dihedral", batches_per_epoch=settings.steps or None, **batching),
        stage=1,
        epochs=settings.epochs,
        callbacks=[keras_hpa.ReduceLR("report")],
        validation_data=validated,
    )

    run.save_model(model)

    scores = model.predict(validated)
    calibrator = keras_hpa.ThresholdCalibrator(class_names=class_names).fit(scores, validation.labels)
    if settings.predict is not None:
        ids = ids_in_folder(settings.predict, settings.pattern, channels[0])
        new = keras_hpa.Samples(
            keras_hpa.ChannelFiles(settings.predict, ids, channels=channels, pattern=settings.pattern)
        )
        predicted = calibrator.predict(model.predict(new.batches(**batching)))
        texts = keras_hpa.format_labels(predicted, settings.separator, class_names=class_names)
        rows = [(settings.id_column, settings.label_column), *zip(ids, texts, strict=True)]
        write_csv(run.folder / "predictions.csv", rows)

    figure = keras_hpa.plots.plot_channels(samples.read(0), channels, title=samples.ids[0])
    run.write_figure("channels.png", figure)
    run.write_results(
        "GapNet on own images",
        model,
        calibrator,
        validation,
        scores,
        {"stage 1": history},
        batches=validated,
        training_samples=len(training),
    )


def ids_in_folder(folder: Path, pattern: str, channel: str) -> list[str]:
    """The ids of all samples that have a file of one channel."""
    parts = [re.escape(part) for part in pattern.replace("{channel}", channel).split("{id}")]
    file_name = re.compile(r"(?P<id>.+?)".join(parts[:2]) + "".join("(?P=id)" + part for part in parts[2:]))
    files = (path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file())
    return [match["id"] for match in map(file_name.fullmatch, files) if match]


if __name__ == "__main__":
    main()
