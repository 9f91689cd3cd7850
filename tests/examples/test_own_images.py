"""The options of the example for anybody's images: stacks, groups, and any delimiter."""

import csv

import keras
import numpy as np
import own_images
import pytest
import tifffile

import keras_hpa


@pytest.mark.slow
@pytest.mark.usefixtures("_without_graphs")
def test_stacks_groups_a_delimiter_and_two_objectives(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    (tmp_path / "stacks").mkdir()
    rows = ["cell!Golgi!ER!plate"]
    for number in range(12):
        zoom = 1 + number % 2  # the second objective shows half as much in a pixel
        stack = random.integers(200, size=(3, 2, 80 * zoom, 76 * zoom), dtype=np.uint8)
        tifffile.imwrite(
            tmp_path / "stacks" / f"c{number}.tif",
            stack,
            imagej=True,
            resolution=(zoom / 0.65, zoom / 0.65),
            metadata={"axes": "ZCYX", "unit": "um"},
        )
        rows.append(f"c{number}!{number % 2}!{1 - number % 3 % 2}!p{number // 3}")
    (tmp_path / "labels.txt").write_text("\n".join(rows))
    splits = []
    split = keras_hpa.Samples.split
    monkeypatch.setattr(
        keras_hpa.Samples, "split", lambda samples, **options: splits.append(split(samples, **options)) or splits[-1]
    )
    table = [f"--labels={tmp_path / 'labels.txt'}", "--delimiter=!", "--label-column=Golgi,ER", "--group-column=plate"]
    images = [f"--images={tmp_path / 'stacks'}", "--pattern={cell}.tif", "--channels=dapi,gfp", "--project=Z=max"]
    small = ["--image-size=76", "--batch-size=4", "--epochs=1", f"--output={tmp_path / 'out'}"]
    own_images.main([*images, *table, *small, "--pixel-size=0.65", "--fit=crop"])
    ((training, validation),) = splits
    assert len(training) + len(validation) == 12
    assert not set(training.groups) & set(validation.groups)
    assert set(training.groups) | set(validation.groups) == {"p0", "p1", "p2", "p3"}
    stack = tifffile.imread(tmp_path / "stacks" / f"{training.ids[0]}.tif")
    np.testing.assert_array_equal(training.read(0), np.moveaxis(stack.max(axis=0), 0, -1))
    assert "Golgi" in (tmp_path / "out" / "report.html").read_text()
    model = keras.saving.load_model(tmp_path / "out" / "model.keras")
    layers = model.get_layer("preprocessing").layers
    assert [layer.micrometres for layer in layers if isinstance(layer, keras_hpa.PixelSize)] == [0.65]


@pytest.mark.slow
@pytest.mark.usefixtures("_without_graphs")
def test_a_plate_and_a_new_one_to_predict(tmp_path):
    """A row per well with `;` between cells, one of them lost and one empty, planes by number, stains of the atlas."""
    for folder in ("plate", "new"):
        (tmp_path / folder).mkdir()
        for well in ("A01", "A02", "B01", "B02", "B03"):
            for site in (1, 2):
                for wave in (1, 2):
                    planes = np.random.default_rng(site).integers(200, size=(3, 76, 76), dtype=np.uint8)
                    path = tmp_path / folder / f"{well}_s{site}_w{wave}.TIF"
                    tifffile.imwrite(path, planes, imagej=True, metadata={"axes": "ZYX"})
    (tmp_path / "wells.csv").write_text("well;moa\nA01;actin\nA02;tubulin\nB01;actin\nB02;tubulin\nB03;\nC01;actin\n")
    files = [f"--images={tmp_path / 'plate'}", f"--predict={tmp_path / 'new'}", f"--labels={tmp_path / 'wells.csv'}"]
    names = ["--pattern={well}_s{field}_w{channel}.TIF", "--channels=dapi=1,gfp=2", "--project=Z=1"]
    columns = ["--label-column=moa", "--group-column=well", "--delimiter=;"]
    small = ["--image-size=76", "--batch-size=4", "--epochs=1", f"--output={tmp_path / 'out'}"]
    own_images.main([*files, *names, *columns, *small, "--stains=nucleus,protein", "--missing=drop", "--allow-empty"])
    with (tmp_path / "out" / "predictions.csv").open() as file:
        assert [row["id"] for row in csv.DictReader(file)] == [
            f"{well}_{site}" for well in ("A01", "A02", "B01", "B02", "B03") for site in (1, 2)
        ]
    model = keras.saving.load_model(tmp_path / "out" / "model.keras")
    assert model.get_layer("texture").output.shape == (None, 77)


@pytest.mark.parametrize(
    ("text", "said"), [("Z=max,T=0", {"Z": "max", "T": 0}), ("Z=-1", {"Z": -1}), ("dapi=w1", {"dapi": "w1"})]
)
def test_named(text, said):
    assert own_images.named(text) == said
