"""The code of docs/how-to/plates-and-scale.md."""

import logging
from pathlib import Path

import keras
import numpy as np
import pytest
import tifffile

import keras_hpa
from tests.data.s3_server import s3_server, upload
from tests.data.zarr_plates import write_plate
from tests.docs.quoted_messages import check_quoted_messages
from tests.docs.trained import train_and_predict


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def _write_fields():
    """Fields of two objectives: a 10x shows twice as much in as many pixels, and one camera is not square."""
    random = np.random.default_rng(0)
    Path("fields").mkdir()
    rows = []
    for number in range(8):
        size, shape = (0.65, (2, 40, 48)) if number % 2 else (0.325, (2, 80, 80))
        about = {"axes": "CYX", "PhysicalSizeX": size, "PhysicalSizeY": size, "Channel": {"Name": ["dapi", "gfp"]}}
        pixels = random.integers(4000, size=shape).astype("uint16")
        tifffile.imwrite(f"fields/field{number}.ome.tif", pixels, metadata=about)
        rows.append(f"field{number}.ome.tif,{'Golgi' if number < 4 else 'ER'},p{number // 2}\n")
    Path("fields.csv").write_text("file,location,patient\n" + "".join(rows))


def test_ome_zarr():
    pytest.importorskip("zarr")
    write_plate(Path("plate.zarr"), fields=1, levels=2)
    Path("wells.csv").write_text("well;moa\nA01;actin\nA02;tubulin\nB01;actin\nB02;tubulin\n")
    # --8<-- [start:zarr]
    samples = keras_hpa.load_ome_zarr("plate.zarr", "wells.csv", label_columns="moa", groups="well")
    # --8<-- [end:zarr]
    assert samples.channels == ("DAPI", "GFP")
    with s3_server() as storage_options:
        upload(Path("plate.zarr"), storage_options, "screens")
        # --8<-- [start:s3]
        samples = keras_hpa.load_ome_zarr(
            "s3://screens/plate.zarr",
            "wells.csv",
            label_columns="moa",
            groups="well",
            max_pixel_size=0.65,
            storage_options=storage_options,
        )
        new = keras_hpa.load_ome_zarr("s3://screens/plate.zarr", max_pixel_size=0.65, storage_options=storage_options)
        # --8<-- [end:s3]
        train_and_predict(samples, new, image_size=8)
        # --8<-- [start:pack]
        packed = samples.packed("pack", image_size=8)
        # --8<-- [end:pack]
        np.testing.assert_array_equal(packed.read(3), samples.read(3))


def test_two_objectives(caplog):
    _write_fields()
    # --8<-- [start:objectives]
    samples = keras_hpa.load_table("fields.csv", root="fields", label_columns="location", groups="patient")
    batches = samples.batches(image_size=32, fit="crop", pixel_size=0.65)
    # --8<-- [end:objectives]
    assert batches[0][0].shape == (8, 32, 32, 2)
    assert [batches.pixel_size_at(index) for index in range(8)] == [0.65] * 8
    new = keras_hpa.load_folder("fields", pattern="{id}.ome.tif")
    train_and_predict(samples, new, image_size=32, fit="crop", pixel_size=0.65)
    # --8<-- [start:model]
    model = keras_hpa.GapNet((32, 32, 2), num_classes=2, preprocessing=keras_hpa.PixelSize(0.65))
    # --8<-- [end:model]
    keras_hpa.predict_scores(model, batches, verbose=0)
    with pytest.warns(UserWarning, match=r"trained at 0\.65"):
        keras_hpa.predict_scores(model, new[["field0"]].batches(image_size=32, fit="crop"), verbose=0)
    caplog.clear()  # TensorFlow says how many graphs were made before
    with caplog.at_level(logging.WARNING, logger="keras_hpa"):
        samples.batches(image_size=32, workers=0)[0]
    assert caplog.records[0].message in Path(__file__).parents[2].joinpath("docs/how-to/plates-and-scale.md").read_text(
        encoding="utf-8"
    )


def test_plates_of_different_brightness():
    random = np.random.default_rng(0)
    plates = np.repeat(["day1", "day2", "day3"], 4).tolist()
    images = random.gamma(2.0, 100.0, size=(12, 16, 16, 2)) * np.repeat([1, 3, 0.5], 4)[:, None, None, None]
    metadata = {"plate": plates, "treatment": ["DMSO", "DMSO", "drug", "drug"] * 3}
    samples = keras_hpa.Samples(
        keras_hpa.ArraySource(images.astype("uint16"), channels=["dapi", "gfp"]),
        np.tile([[1, 0], [1, 0], [0, 1], [0, 1]], (3, 1)),
        class_names=["none", "drug"],
        groups=plates,
        metadata=metadata,
    )
    # --8<-- [start:normalise]
    is_control = [treatment == "DMSO" for treatment in samples.metadata["treatment"]]
    normalization = keras_hpa.PlateNormalization().fit(samples, is_control)
    samples = normalization.apply(samples)
    normalization.save("normalization.json")
    # --8<-- [end:normalise]
    # --8<-- [start:folds]
    for train, test in samples.group_folds():
        print("trained on", len(train), "images of", sorted(set(train.groups)), "for", test.groups[0])
    # --8<-- [end:folds]
    assert samples.read(0).dtype == np.float32
    again = keras_hpa.PlateNormalization.load("normalization.json")
    assert sorted(again.levels_) == ["day1", "day2", "day3"]


@pytest.mark.usefixtures("_short_trainings")
def test_augmentation():
    samples = keras_hpa.SyntheticAtlas(4, image_size=48).samples
    # --8<-- [start:augment]
    batches = samples.batches(
        image_size=48,
        shuffle=True,
        augment=[
            "dihedral",
            keras_hpa.RandomCrop(32),
            keras_hpa.ChannelGain(gain=0.3, offset=0.01),
            keras_hpa.RandomBlur(1.0),
            keras_hpa.ChannelDropout(samples.channels, keep=["green"], rate=0.2),
        ],
    )
    # --8<-- [end:augment]
    assert batches[0][0].shape == (4, 32, 32, 4)
    model = keras_hpa.GapNet((32, 32, 4), 28, filters=(4, 4, 4))
    model.compile("adam", loss="binary_crossentropy")
    model.fit(batches, epochs=1)
    assert isinstance(model, keras.Model)


def test_what_goes_wrong():
    _write_fields()
    samples = keras_hpa.load_table("fields.csv", root="fields", label_columns="location", groups="patient")
    arrays = keras_hpa.Samples(keras_hpa.ArraySource(np.zeros((2, 8, 8, 1), "uint8")))
    check_quoted_messages(
        "how-to/plates-and-scale.md",
        [
            (ValueError, lambda: arrays.batches(pixel_size=0.65, workers=0)[0]),
            (ValueError, lambda: samples.batches(image_size=64, fit="crop", pixel_size=0.65, workers=0)[0]),
            (ValueError, lambda: samples.batches(image_size=64, pixel_size=0.65)),
            (ValueError, lambda: keras_hpa.PlateNormalization().fit(samples, [0, 1], plates="patient")),
        ],
    )
