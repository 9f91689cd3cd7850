"""Images of different sizes and scales in one batch."""

import logging

import numpy as np
import pytest
import tifffile

from keras_hpa import ArraySource, ChannelFiles, ChannelStacks, PackedSource, Samples, load_folder, load_table, subset
from keras_hpa.data import pixel_size_of
from tests.data.plates import write_harmony


def _fields(*shapes, dtype="uint16"):
    """A gradient from left to right, 100 to 200, at any size; a dot in the middle of the fifth channel."""
    images = []
    for height, width in shapes:
        image = np.empty((height, width, 5), dtype)
        image[...] = np.linspace(100, 200, width)[None, :, None].round()
        image[height // 2 - 2 : height // 2 + 2, width // 2 - 2 : width // 2 + 2, 4] = 250
        images.append(image)
    return ArraySource(images)


def _batch(source, **options):
    return Samples(source).batches(dtype="source", workers=0, **options)[0]


def test_crop_keeps_proportions_and_the_middle():
    batch = _batch(_fields((40, 40), (40, 80), (80, 40)), image_size=20, fit="crop")
    assert batch.shape == (3, 20, 20, 5)
    assert batch.dtype == np.uint16
    assert batch[0, 10, 0, 0] < 105
    assert 120 < batch[1, 10, 0, 0] < 130  # a quarter was cut off on each side
    assert (batch[:, 9:11, 9:11, 4] == 250).all()


def test_pad_keeps_proportions_and_everything():
    batch = _batch(_fields((40, 40), (40, 80), (80, 40)), image_size=20, fit="pad")
    assert (batch[1, :5] == 0).all()
    assert (batch[1, 15:] == 0).all()
    assert (batch[1, 5:15] > 0).all()
    assert (batch[2, :, :5] == 0).all()
    assert batch[1, 10, 0, 0] < 105
    assert batch[1, 10, -1, 0] > 195
    assert (batch[:, 9:11, 9:11, 4] > 165).all()  # of the dot, of which a pixel covers a quarter


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("shape", [(37, 53), (53, 37), (1, 300), (300, 1), (20, 20)])
def test_any_size_comes_to_the_size(fit, shape):
    assert _batch(_fields(shape), image_size=(20, 21), fit=fit).shape == (1, 20, 21, 5)


def test_a_crop_is_the_augmentations_to_change():
    source = _fields((40, 40))
    before = source.read(0).copy()

    def darken(image, rng):
        image[...] = 0
        return image

    options = {"image_size": 20, "fit": "crop", "pixel_size": 0.5, "augment": darken}
    assert not Samples(source, pixel_sizes=0.5).batches(dtype="source", workers=0, **options)[0].any()
    np.testing.assert_array_equal(source.read(0), before)


@pytest.mark.parametrize("workers", [0, 2])
def test_stretching_is_told_once(caplog, tmp_path, workers):
    for number in range(4):
        np.save(tmp_path / f"{number}.npy", np.zeros((3, 20, 30), "uint8"))
    source = ChannelStacks(tmp_path, list("0123"), pattern="{id}.npy", channels=list("abc"))
    batches = Samples(source).batches(image_size=16, batch_size=1, workers=workers)
    with caplog.at_level(logging.WARNING, logger="keras_hpa"):
        for index in range(4):
            assert batches[index].shape == (1, 16, 16, 3)
    assert [record.message for record in caplog.records if "stretched from 20 x 30" in record.message] == [
        record.message for record in caplog.records
    ]
    assert len(caplog.records) == 1


def test_a_change_of_scale_is_told_too(caplog):
    with caplog.at_level(logging.WARNING, logger="keras_hpa"):
        _batch(_fields((40, 40), (80, 80), (20, 20)), image_size=20)
    assert [record.message.partition(",")[0] for record in caplog.records] == [
        "Images of different sizes are resized to (20"
    ]
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="keras_hpa"):
        _batch(_fields((40, 40), (41, 41)), image_size=20)
        _batch(_fields((40, 80), (80, 40)), image_size=20, fit="crop")
    assert not caplog.records


def test_two_objectives_come_to_one_scale():
    source = Samples(_fields((40, 40), (80, 80), (20, 20)), pixel_sizes=[0.65, 0.325, 1.3])
    batches = source.batches(dtype="source", workers=0, pixel_size=0.65)
    assert batches[0].shape == (3, 40, 40, 5)
    assert [batches.pixel_size_at(index) for index in range(3)] == [0.65] * 3
    assert source.batches(image_size=20).pixel_size_at(1) == pytest.approx(1.3)
    cut = source.batches(dtype="source", workers=0, pixel_size=0.65, image_size=10, fit="crop")[0]
    assert cut.shape == (3, 10, 10, 5)
    assert 130 < cut[0, 0, 0, 0] < 142
    padded = source.batches(dtype="source", workers=0, pixel_size=1.3, image_size=30, fit="pad")[0]
    assert [np.argwhere(image[..., 0])[0].tolist() for image in padded] == [[5, 5]] * 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fit": "squeeze"}, "`fit` must be one of.*'squeeze'"),
        ({"fit": "crop"}, "`image_size` must be given where `fit` is 'crop'.*None"),
        ({"image_size": 8, "pixel_size": 0.5}, "`fit` must be 'crop' or 'pad'.*'stretch'"),
        ({"pixel_size": 0}, "`pixel_size` must be micrometres.*0"),
        ({"pixel_size": "0.5"}, "`pixel_size` must be micrometres.*'0.5'"),
        ({"pixel_size": float("nan")}, "`pixel_size` must be micrometres.*nan"),
    ],
)
def test_what_does_not_fit_together_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Samples(_fields((8, 8))).batches(**options)
    with pytest.raises(ValueError, match=message):
        Samples(_fields((8, 8))).packed("nowhere", **options)


def test_samples_that_cannot_be_framed_are_named():
    samples = Samples(_fields((40, 40), (20, 20)), pixel_sizes=[0.5, None])
    with pytest.raises(ValueError, match=r"`pixel_size` must be known.*None for sample '1'"):
        samples.batches(pixel_size=0.5, workers=0)[0]
    with pytest.raises(ValueError, match=r"fit='pad'` fills up.*\(30, 30\).*\(20, 20\).*sample '1'"):
        Samples(samples, pixel_sizes=0.5).batches(pixel_size=0.5, image_size=30, fit="crop", workers=0)[0]
    with pytest.raises(ValueError, match=r"fit='crop'` cuts.*\(30, 30\).*\(40, 40\).*sample '0'"):
        Samples(samples, pixel_sizes=0.5).batches(pixel_size=0.5, image_size=30, fit="pad", workers=0)[0]
    for wrong, message in (([0.5], "one number, or 2"), ([0.5, -1], "-1"), ("0.5", "'0'")):
        with pytest.raises(ValueError, match=rf"`pixel_sizes` must.*{message}"):
            Samples(samples, pixel_sizes=wrong)


def test_pixel_sizes_go_wherever_samples_go(tmp_path):
    samples = Samples(_fields((40, 40), (80, 80), (40, 40)), pixel_sizes=[0.65, 0.325, None])
    assert samples[[1, 0]].pixel_sizes == [0.325, 0.65]
    chosen = samples.select_channels(["channel5"])
    assert pixel_size_of(chosen, 1) == pixel_size_of(subset(samples, [1]), 0) == 0.325
    assert Samples(samples, groups=list("aab")).pixel_size(2) is None
    known = samples[:2]
    packed = known.packed(tmp_path / "scaled", pixel_size=0.65, verbose=0)
    assert packed.pixel_sizes == [0.65, 0.65]
    np.testing.assert_array_equal(packed.read(1), known.batches(dtype="source", workers=0, pixel_size=0.65)[0][1])
    assert known[:1].packed(tmp_path / "own", verbose=0).pixel_sizes == [0.65]
    assert known.packed(tmp_path / "resized", image_size=8, verbose=0).pixel_sizes == [None, None]
    with pytest.raises(ValueError, match="another pack"):
        PackedSource.build(known, tmp_path / "scaled", pixel_size=0.325, verbose=0)


def _write(path, **options):
    tifffile.imwrite(path, np.zeros((2, 16, 16), "uint16"), **options)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ome": True, "metadata": {"axes": "CYX", "PhysicalSizeX": 0.325, "PhysicalSizeY": 0.325}}, 0.325),
        (
            {
                "ome": True,
                "metadata": {"axes": "CYX", "PhysicalSizeX": 325, "PhysicalSizeXUnit": "nm"}
                | {"PhysicalSizeY": 325, "PhysicalSizeYUnit": "nm"},
            },
            0.325,
        ),
        ({"ome": True, "metadata": {"axes": "CYX"}}, None),
        ({"ome": True, "metadata": {"axes": "CYX", "PhysicalSizeX": 1, "PhysicalSizeXUnit": "pixel"}}, None),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"axes": "CYX", "unit": "um"}}, 0.25),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"axes": "CYX", "unit": "micron"}}, 0.25),
        ({"imagej": True, "resolution": (40, 40), "metadata": {"axes": "CYX", "unit": "mm"}}, 25.0),
        ({"imagej": True, "resolution": (72, 72), "metadata": {"axes": "CYX"}}, None),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, None),
    ],
)
def test_what_tiffs_say_of_their_pixels(tmp_path, options, expected):
    _write(tmp_path / "a.tif", **options)
    size = ChannelStacks(tmp_path, ["a"], channels=["x", "y"]).pixel_size(0)
    assert size is None if expected is None else size == pytest.approx(expected)


def test_metaxpress_says_it_in_its_description(tmp_path):
    said = '<MetaData><PlaneInfo><prop id="spatial-calibration-state" type="bool" value="on"/>'
    for name, value in (("x", "0.6631"), ("y", "0.6631"), ("units", "um")):
        said += f'<prop id="spatial-calibration-{name}" type="float" value="{value}"/>'
    tifffile.imwrite(
        tmp_path / "A01_w1.TIF", np.zeros((16, 16), "uint16"), description=f"{said}</PlaneInfo></MetaData>"
    )
    source = ChannelFiles(tmp_path, ["A01"], channels=["1"], pattern="{id}_w{channel}.TIF")
    assert source.pixel_size(0) == pytest.approx(0.6631)


def test_pixels_that_are_not_square_are_refused(tmp_path):
    _write(tmp_path / "a.tif", ome=True, metadata={"axes": "CYX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.25})
    with pytest.raises(ValueError, match=r"square.*0\.5 x 0\.25 .*a\.tif"):
        ChannelStacks(tmp_path, ["a"], channels=["x", "y"]).pixel_size(0)


def test_other_files_say_nothing_and_missing_ones_are_missing(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 8)))
    assert ChannelStacks(tmp_path, ["a"], channels=["x", "y"], pattern="{id}.npy").pixel_size(0) is None
    with pytest.raises(FileNotFoundError):
        ChannelStacks(tmp_path, ["b"], channels=["x", "y"]).pixel_size(0)


def test_harmonys_index_and_columns_say_it(tmp_path):
    write_harmony(tmp_path / "plate")
    samples = load_folder(tmp_path / "plate", layout="harmony")
    assert samples.pixel_size(0) == pytest.approx(0.29678)
    assert load_folder(tmp_path / "plate", layout="harmony", pixel_size=0.5).pixel_size(0) == 0.5
    np.save(tmp_path / "a.npy", np.zeros((2, 8, 8)))
    np.save(tmp_path / "b.npy", np.zeros((2, 8, 8)))
    table = {"file": ["a.npy", "b.npy"], "label": ["x", "y"], "um": ["0,65", ""]}
    options = {"root": tmp_path, "id_column": "file", "label_columns": "label", "channels": ["p", "q"]}
    samples = load_table(table, pixel_size="um", **options)
    assert samples.pixel_sizes == [0.65, None]
    with pytest.raises(ValueError, match=r"name of a column.*pixel_size=0\.325.*'mm'.*\['file', 'label', 'um'\]"):
        load_table(table, pixel_size="mm", **options)
    with pytest.raises(ValueError, match=r"column of numbers.*'x'.*'label'"):
        load_table(table, pixel_size="label", **options)
