"""Finds the cells of fields, trains on labels of whole fields, and says what each cell shows.

    python examples/cells.py --output out --quick                    drawings, minutes on a laptop
    python examples/cells.py --data KAGGLE_FOLDER --output out

The cells are found without a trained network (`keras_hpa.cells.split_cells`), and cut out. A GapNet of single cells
learns from bags, the cells of a field with the labels of the field (`keras_hpa.BagOfCells`), of three quarters of the
fields; model.keras is this GapNet. Of the other fields a table, cells.csv, has a row for each cell: where it is, its
classes, its scores; cells_1.png to cells_4.png show four of them, each cell outlined in the colour of the class that
scores highest. What is printed and in report.html is judged by the labels of fields: nobody knows those of cells. In
drawings a third of the cells is negative, and each other cell has one of the classes of its field.
`--masks "masks/{id}_cp_masks.tif"` takes the masks of another program.
"""

import argparse
from collections.abc import Sequence

import keras
import numpy as np
import training_run

import keras_hpa

DEFAULTS = {
    "image_size": 512,
    "fields": 600,
    "crop_size": 128,
    "bag_size": 8,
    "batch_size": 8,
    "epochs": 60,
    "steps": 0,
    "batch_norm_momentum": 0.9,
}
QUICK = {"image_size": 256, "fields": 160, "crop_size": 64, "epochs": 12}
PICTURES = 4


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    training_run.add_kaggle_options(parser)
    parser.add_argument("--masks", help="label images of other programs, as CellCrops takes them")
    parser.add_argument("--fields", type=int, help="how many are drawn without --data")
    parser.add_argument("--crop-size", type=int, help="height and width of a cell's crop in pixels of the field")
    parser.add_argument("--bag-size", type=int, help="how many cells of a field are seen at a time")
    args = parser.parse_args(argv)
    settings = training_run.choose_settings(args, DEFAULTS, QUICK)
    run = training_run.TrainingRun(settings)
    keras.utils.set_random_seed(settings.seed)

    crops = keras_hpa.cells.CellCrops(
        fields(settings),
        settings.masks or find_cells,
        size=settings.crop_size,
        border="flag",
        pieces="largest",
    )
    print(f"{len(crops)} cells in {len(crops.fields)} fields, {sum(crops.metadata['touches_border'])} at a border")
    packed = crops.packed(settings.pack or settings.output / "cells_pack")
    training, validation = packed.split(validation_size=0.25, seed=settings.seed)
    bagging = {name: getattr(settings, name) for name in ("bag_size", "batch_size", "seed", "workers")}
    bags = keras_hpa.cells.CellBags(
        training, shuffle=True, augment="dihedral", batches_per_epoch=settings.steps or None, **bagging
    )

    classifier = keras_hpa.GapNet(
        (settings.crop_size, settings.crop_size, len(crops.channels)),
        num_classes=len(crops.class_names),
        batch_norm_momentum=settings.batch_norm_momentum,
    )
    model = keras_hpa.BagOfCells(classifier)
    # Labels of cells that touch the border are -1, unknown, as are those of empty places: this loss leaves them out.
    loss = keras_hpa.BinaryCrossentropy()
    model.compile("adam", loss={"image": loss, "cells": loss}, loss_weights={"image": 1.0, "cells": 0.1})
    history = run.fit(
        model,
        bags,
        stage=1,
        epochs=settings.epochs,
        callbacks=[keras_hpa.ReduceLR("report")],
        validation_data=keras_hpa.cells.CellBags(validation, **bagging),
    )
    run.save_model(classifier)

    validated = validation.batches(workers=settings.workers)
    scores = keras_hpa.predict_scores(classifier, validated)
    calibrator = keras_hpa.ThresholdCalibrator(class_names=crops.class_names).fit(scores, validation.labels)
    keras_hpa.write_predictions(run.folder / "cells.csv", validation, scores, calibrator)
    draw_fields(run, crops, validation, scores)
    run.write_results(
        "The cells of fields",
        classifier,
        calibrator,
        validation,
        scores,
        {"stage 1": history},
        batches=validated,
        training_cells=len(training),
    )


def fields(settings: argparse.Namespace) -> keras_hpa.Samples:
    """Kaggle's folder, drawn into the output folder unless `--data` gives it."""
    folder = settings.data
    if folder is None:
        folder = settings.output / "synthetic_atlas"
        size = settings.image_size
        print(f"No --data: {settings.fields} fields of {size}x{size} pixels are drawn into {folder}.")
        drawn = keras_hpa.SyntheticAtlas(
            settings.fields, image_size=size, balance="uniform", seed=settings.seed, mixed=1 / 3
        )
        drawn.save(folder)
    return keras_hpa.load_kaggle(folder)


def find_cells(image: np.ndarray) -> np.ndarray:
    """The cells of a field in the atlas's channels: nuclei are blue, bodies show in red and yellow."""
    channels = keras_hpa.atlas.CHANNELS
    _, cells = keras_hpa.cells.split_cells(image, nuclei="blue", bodies=["red", "yellow"], channels=channels)
    return cells


def draw_fields(
    run: training_run.TrainingRun,
    crops: keras_hpa.cells.CellCrops,
    scored: keras_hpa.Samples,
    scores: np.ndarray,
) -> None:
    """The first fields that were scored, each cell outlined in the colour of the class that scores highest."""
    best = scores.argmax(axis=1)
    for number, field in enumerate(list(dict.fromkeys(scored.metadata["field"]))[:PICTURES], start=1):
        labels = crops.label_image(field)
        own = np.flatnonzero(np.array(scored.metadata["field"]) == field)
        shown = sorted(set(best[own]))
        classes = np.full(labels.max(initial=0), -1)
        for row in own:
            classes[scored.metadata["cell"][row] - 1] = shown.index(best[row])
        names = [crops.class_names[one] for one in shown]
        image = crops.fields.read(crops.fields.ids.index(field))
        figure = keras_hpa.plots.plot_cells(
            image, labels, crops.channels, classes=classes, class_names=names, each_channel=False, title=field
        )
        run.write_figure(f"cells_{number}.png", figure)


if __name__ == "__main__":
    main()
