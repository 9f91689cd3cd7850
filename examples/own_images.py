"""Trains a classifier on anybody's images: a folder, a CSV of labels, any channels, any classes.

    python examples/own_images.py --images plates --labels plates.csv --channels dapi,gfp,tubulin \
        --pattern "{id}_{channel}.png" --id-column image --label-column locations --separator ";" --output out

The table has a row per sample, or one per well with `--pattern "{well}_s{field}_w{channel}.TIF"`: its id, and its
labels as names or numbers, or in a column of 1 and 0 for each class: `--label-column Golgi,ER`. What stands in the
files' names is said by `--channels dapi=w1,gfp=w2`. `--project Z=max,T=0` makes an image of each stack, and
`--group-column plate` keeps plates on one side of the split. `--pixel-size 0.65 --fit crop` brings the images of
several objectives to one scale, where the files say theirs, and records it in the model.
`--stains nucleus,protein` says which stain of the atlas each channel shows, and starts from weights that learned from
drawings of cells.
`--predict FOLDER` names images of the same channels without labels; theirs go to predictions.csv.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import training_run

import keras_hpa

DEFAULTS = {"image_size": 256, "batch_size": 16, "epochs": 40, "steps": 0, "batch_norm_momentum": 0.9}
QUICK = {"image_size": 128, "batch_size": 8, "epochs": 4}


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="folder with the images")
    parser.add_argument("--labels", type=Path, required=True, help="CSV, Excel or Parquet file with a header")
    parser.add_argument("--channels", required=True, help="names of the channels, as dapi,gfp or dapi=w1,gfp=w2")
    parser.add_argument("--stains", help="what each channel shows, as nucleus,protein; none for any other stain")
    parser.add_argument("--pattern", default="{id}_{channel}.png", help="an image's path below its folder")
    parser.add_argument("--id-column", help="the column of ids, unless its name says it")
    parser.add_argument("--label-column", help="the column of labels, or one for each class, separated by commas")
    parser.add_argument("--group-column", help="the column of plates or patients, which a split keeps whole")
    parser.add_argument("--separator", default="auto", help="what stands between two labels of a sample")
    parser.add_argument("--delimiter", help="what stands between two cells of the table, unless it is found")
    parser.add_argument("--missing", default="error", help="drop leaves out samples that lack files")
    parser.add_argument("--allow-empty", action="store_true", help="a sample without a label has none of the classes")
    parser.add_argument("--project", help="how stacks become images, such as Z=max,T=0")
    parser.add_argument("--fit", default="stretch", help="stretch, crop or pad: how images come to their size")
    parser.add_argument(
        "--pixel-size", type=float, help="micrometres per pixel to which images are brought that say theirs"
    )
    parser.add_argument("--predict", type=Path, help="folder with images whose labels are wanted")
    training_run.add_options(parser)
    args = parser.parse_args(argv)
    settings = training_run.choose_settings(args, DEFAULTS, QUICK)
    run = training_run.TrainingRun(settings)
    keras.utils.set_random_seed(settings.seed)

    channels = named(settings.channels) if "=" in settings.channels else settings.channels.split(",")
    stains = (
        None
        if settings.stains is None
        else [None if stain == "none" else stain for stain in settings.stains.split(",")]
    )
    project = None if settings.project is None else named(settings.project)
    columns = settings.label_column
    samples = keras_hpa.load_folder(
        settings.images,
        settings.labels,
        channels=channels,
        pattern=settings.pattern,
        id_column=settings.id_column,
        label_columns=columns.split(",") if columns and "," in columns else columns,
        groups=settings.group_column,
        separator=settings.separator,
        delimiter=settings.delimiter,
        project=project,
        missing=settings.missing,
        allow_empty=settings.allow_empty,
    )
    class_names, num_classes = samples.class_names, samples.labels.shape[1]
    training, validation = training_run.packed(settings, samples).split(validation_size=0.25, seed=settings.seed)
    print(f"{len(training)} samples to train on, {len(validation)} to validate on")
    print(f"{num_classes} classes: {', '.join(class_names or map(str, range(num_classes)))}")

    new = None
    if settings.predict is not None:  # opened before the training, since a file may be missing
        new = keras_hpa.load_folder(settings.predict, channels=channels, pattern=settings.pattern, project=project)

    batching = training_run.batching(settings)
    validated = validation.batches(**batching)

    preprocessing: list[keras.layers.Layer] = [keras_hpa.ImageStandardization()]
    if settings.pixel_size is not None:
        preprocessing.append(keras_hpa.PixelSize(settings.pixel_size))
    model = keras_hpa.GapNet(
        (settings.image_size, settings.image_size, len(channels)),
        num_classes=num_classes,
        weights=None if stains is None else "drawn",
        channels=stains,
        preprocessing=keras.Sequential(preprocessing, name="preprocessing"),
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
    if new is not None:
        scores_of_new = model.predict(new.batches(**batching))
        keras_hpa.write_predictions(
            run.folder / "predictions.csv", new, scores_of_new, calibrator, class_names=class_names
        )

    figure = keras_hpa.plots.plot_channels(samples.read(0), samples.channels, title=samples.ids[0])
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


def named(text: str) -> dict[str, str | int]:
    """Turns "Z=max,T=0" into what it says."""
    pairs = [one.partition("=") for one in text.split(",")]
    return {name.strip(): int(value) if value.lstrip("-").isdigit() else value.strip() for name, _, value in pairs}


if __name__ == "__main__":
    main()
