"""Drawn samples in the layouts of laboratories, read back by one call each."""

import numpy as np
import pytest

from keras_hpa import SyntheticAtlas, atlas, load_folder, load_ome_zarr, load_table
from keras_hpa.labels import format_labels

_CALLS = {
    "hyperstacks": lambda root: load_table(
        root / "labels.csv",
        root / "images",
        pattern="{image}.tif",
        label_columns=list(atlas.CLASS_NAMES),
        channels=atlas.CHANNELS,
        groups="plate",
        project={"Z": "sharpest"},
    ),
    "class folders": lambda root: load_folder(root, layout="class folders"),
    "five channels": lambda root: load_table(
        root / "labels.csv",
        root / "images",
        pattern="{id}.tif",
        channels=[*atlas.CHANNELS, "mean"],
        class_names=atlas.CLASS_NAMES,
        separator="|",
    ),
    "paths": lambda root: load_table(
        root / "table.csv",
        channels=atlas.CHANNELS,
        class_names=atlas.CLASS_NAMES,
        groups="antibody",
    ),
    "harmony": lambda root: load_folder(
        root, root / "wells.csv", layout="harmony", separator="|", class_names=atlas.CLASS_NAMES, groups="well"
    ),
    "metaxpress": lambda root: load_folder(
        root,
        root / "wells.csv",
        layout="metaxpress",
        channels=dict(zip(atlas.CHANNELS, "1234", strict=True)),
        separator="|",
        class_names=atlas.CLASS_NAMES,
        groups="well",
    ),
    "ome-zarr": lambda root: load_ome_zarr(
        root / "plate.zarr", root / "wells.csv", class_names=atlas.CLASS_NAMES, groups="well"
    ),
}


@pytest.fixture(scope="module")
def drawn():
    """Among these samples several share their labels."""
    return SyntheticAtlas(12, image_size=(32, 40), seed=3)


@pytest.mark.parametrize("layout", _CALLS)
def test_what_is_saved_is_what_is_read(tmp_path, drawn, layout):
    if layout == "ome-zarr":
        pytest.importorskip("zarr")
    drawn.save(tmp_path / "out", layout=layout)
    samples = _CALLS[layout](tmp_path / "out")
    assert len(samples) == 12
    images = [samples.read(index) for index in range(12)]
    factor = 1 if layout in ("class folders", "paths", "ome-zarr") else 16
    assert images[0].dtype == (np.uint8 if factor == 1 else np.uint16)
    originals = {drawn.read(index).tobytes(): index for index in range(12)}
    found = [originals[np.ascontiguousarray((one[..., :4] // factor).astype("uint8")).tobytes()] for one in images]
    assert sorted(found) == list(range(12))
    assert samples.channels[:4] == atlas.CHANNELS
    if layout not in ("five channels", "paths"):
        assert samples.pixel_size(0) == pytest.approx(drawn.pixel_size(0), rel=1e-4)
    if layout == "class folders":
        firsts = [atlas.CLASS_NAMES[drawn.labels[index].argmax()] for index in found]
        assert [samples.class_names[row.argmax()] for row in samples.labels] == firsts
        assert (samples.labels.sum(axis=1) == 1).all()
    else:
        np.testing.assert_array_equal(samples.labels, drawn.labels[found])
    if layout == "five channels":
        np.testing.assert_allclose(images[0][..., 4], images[0][..., :4].mean(axis=-1), atol=1)
    if samples.groups is not None and layout != "hyperstacks":
        texts = np.array(format_labels(samples.labels))
        if layout != "paths":
            assert max(samples.groups.count(group) for group in samples.groups) == 2
            for group in set(samples.groups):
                assert len(set(texts[[one == group for one in samples.groups]])) == 1
    train, test = samples.split(test_size=0.5)
    assert len(train) + len(test) == 12


def test_kaggles_layout_is_the_default(tmp_path, drawn):
    drawn.save(tmp_path, num_test=2)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["test", "train"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "excel"}, r"`layout` must be one of \['kaggle', 'hyperstacks',.*'excel'"),
        ({"layout": "harmony", "num_test": 2}, "`num_test` must be left out.*2"),
    ],
)
def test_wrong_arguments(tmp_path, drawn, options, message):
    with pytest.raises(ValueError, match=message):
        drawn.save(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_stays(tmp_path, drawn):
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(ValueError, match="`root` must be a new or empty folder"):
        drawn.save(tmp_path, layout="paths")
    with pytest.raises(ValueError, match=r"at most 384 wells.*Received: \d+"):
        SyntheticAtlas(2000, image_size=32).save(tmp_path / "plate", layout="metaxpress")
    with pytest.raises(ValueError, match="a sample at least"):
        SyntheticAtlas(0, image_size=32).save(tmp_path / "none", layout="paths")
