"""The code of docs/how-to/own-images.md."""

import csv

import cv2
import keras
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture(autouse=True)
def plates(tmp_path, monkeypatch):
    """Sixteen samples in two channels, and their table."""
    monkeypatch.chdir(tmp_path)
    drawn = keras_hpa.SyntheticAtlas(16, image_size=(32, 32))
    (tmp_path / "plates").mkdir()
    rows = []
    for number in range(16):
        image = drawn.read(number)
        for channel, name in ((2, "dapi"), (1, "gfp")):
            cv2.imwrite(f"plates/well{number:02}_{name}.png", image[..., channel])
        rows.append((f"well{number:02}", ("Nucleus", "Cytosol", "Nucleus|Cytosol", "Golgi")[number % 4]))
    with open("plates.csv", "w", newline="") as file:
        csv.writer(file).writerows([("image", "locations"), *rows])


@pytest.mark.usefixtures("_short_trainings")
def test_from_folder_to_report():
    # --8<-- [start:load]
    samples = keras_hpa.load_folder(
        "plates",
        "plates.csv",
        channels=["dapi", "gfp"],
        pattern="{id}_{channel}.png",
        id_column="image",
        label_columns="locations",
        separator="|",
    )
    print(samples.class_names)
    # --8<-- [end:load]
    assert samples.class_names == ("Cytosol", "Golgi", "Nucleus")
    # --8<-- [start:validate]
    report = keras_hpa.validate(samples)
    print(report)
    # --8<-- [end:validate]
    # --8<-- [start:look]
    keras_hpa.plots.plot_channels(samples.read(0), samples.channels).savefig("well00.png")
    # --8<-- [end:look]
    assert report.is_valid
    # --8<-- [start:split]
    train, validation = samples.split(validation_size=0.25, seed=0)
    train_batches = train.batches(image_size=128, shuffle=True, augment="dihedral")
    validation_batches = validation.batches(image_size=128)
    # --8<-- [end:split]
    # --8<-- [start:train]
    model = keras_hpa.GapNet((128, 128, 2), num_classes=3, weights="drawn", channels=["nucleus", "protein"])
    model.compile("adam", loss="binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    model.fit(train_batches, validation_data=validation_batches, epochs=30)
    # --8<-- [end:train]
    # --8<-- [start:decide]
    scores = keras_hpa.predict_scores(model, validation_batches)
    calibrator = keras_hpa.ThresholdCalibrator(class_names=samples.class_names).fit(scores, validation.labels)
    print(calibrator.report(scores, validation.labels))
    # --8<-- [end:decide]
    # --8<-- [start:new]
    model.save("model.keras")
    calibrator.save("thresholds.json")
    new = keras_hpa.load_folder("plates", channels=["dapi", "gfp"])[["well14", "well15"]]
    new_scores = keras_hpa.predict_scores(model, new.batches(image_size=128))
    keras_hpa.write_predictions("predictions.csv", new, new_scores, calibrator)
    # --8<-- [end:new]
    assert samples.labels.shape == (16, 3)
    assert isinstance(model, keras.Model)


def test_what_goes_wrong():
    class_names = ["Nucleus", "Cytosol", "Golgi"]

    def load(table="plates.csv", channels=("dapi", "gfp"), id_column="image", **classes):
        return keras_hpa.load_folder(
            "plates", table, channels=channels, id_column=id_column, label_columns="locations", separator="|", **classes
        )

    with open("numbers.csv", "w") as file:
        file.write("image,locations\nwell00,3\n")
    samples = load()
    check_quoted_messages(
        "how-to/own-images.md",
        [
            (ValueError, lambda: load(id_column="Id", class_names=class_names)),
            (ValueError, lambda: load(class_names=class_names[:2])),
            (ValueError, lambda: load("numbers.csv", num_classes=3)),
            (FileNotFoundError, lambda: load(channels=["dapi", "er"])),
            (ValueError, lambda: samples.split(test_size=20)),
        ],
    )
