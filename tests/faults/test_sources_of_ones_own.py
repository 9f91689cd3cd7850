"""A `read` that gives something else, or fails: `validate` reports it, everything else names the sample."""

import keras
import numpy as np
import pytest
from PIL import Image

from keras_hpa import MultiChannelSequence, PackedSource, Samples, near_duplicate_groups, validate, write_kaggle_folder

_IMAGE = np.zeros((4, 4, 3), "uint8")


class _Source:
    """Three samples, of which the second is what `make` gives."""

    ids, channels = ("a", "b", "c"), ("x", "y", "z")

    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 3

    def read(self, index):
        return self.make() if index == 1 else _IMAGE


_NO_IMAGES = {
    "a list": _IMAGE.tolist,
    "a PIL image": lambda: Image.new("RGB", (4, 4)),
    "nothing": lambda: None,
    "a generator": lambda: iter(_IMAGE),
    "a tensor": lambda: keras.ops.convert_to_tensor(_IMAGE),
    "booleans": lambda: _IMAGE > 0,
    "objects": lambda: _IMAGE.astype(object),
    "complex numbers": lambda: _IMAGE * 1j,
    "text": lambda: _IMAGE.astype(str),
    "no pixels": lambda: _IMAGE[:0],
    "two channels": lambda: _IMAGE[..., :2],
    "no channels": lambda: _IMAGE[..., 0],
    "masked pixels": lambda: np.ma.masked_equal(_IMAGE, 0),
}
_no_images = pytest.mark.parametrize("make", _NO_IMAGES.values(), ids=_NO_IMAGES.keys())
_EXPECTED = r"`source\.read` must give an array of integers or floats of shape \(height, width, 3\)\. Received: "


def _raise(error):
    raise error


_ERRORS = {
    "division": lambda: 1 / 0,
    "key": lambda: {}["tile"],
    "value": lambda: _raise(ValueError("no")),
    "file": lambda: np.load("/nowhere/b.npy"),
}
_errors = pytest.mark.parametrize("make", _ERRORS.values(), ids=_ERRORS.keys())

_READERS = {
    "batches": lambda source, path: MultiChannelSequence(source)[0],
    "resized": lambda source, path: MultiChannelSequence(source, image_size=2, workers=0)[0],
    "packs": lambda source, path: PackedSource.build(source, path / "pack", verbose=0),
    "duplicates": lambda source, path: near_duplicate_groups(source, verbose=0),
    "folders": lambda source, path: write_kaggle_folder(Samples(source, np.eye(3)), path / "folder", verbose=0),
}
_readers = pytest.mark.parametrize("read", _READERS.values(), ids=_READERS.keys())


@_no_images
def test_validate_reports_what_is_no_image(make):
    report = validate(_Source(make), verbose=0)
    ((sample, message),) = report.errors
    assert sample == "b"
    assert message.startswith("`source.read` must give an array")
    assert "Received: " in message
    assert report.shapes == {(4, 4): 2}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_validate_reports_numbers_that_are_none(value):
    report = validate(_Source(lambda: np.full(_IMAGE.shape, value, "float32")), verbose=0)
    assert report.errors == (("b", "it holds NaN or infinity"),)


@_errors
def test_validate_reports_what_is_raised(make):
    assert [sample for sample, _ in validate(_Source(make), verbose=0).errors] == ["b"]


@pytest.mark.parametrize("dtypes", [("uint16", "float32"), ("uint8", "float64"), ("int16", "float16")])
def test_validate_says_that_floats_beside_integers_have_another_scale(dtypes):
    whole, fractions = (np.zeros(_IMAGE.shape, dtype) for dtype in dtypes)
    source = _Source(lambda: fractions)
    source.read = lambda index: fractions if index == 1 else whole
    assert "floats pass as they are, integers are divided" in str(validate(source, verbose=0))


@_readers
@_no_images
def test_what_is_no_image_is_refused_by_its_id(read, make, tmp_path):
    with pytest.raises(ValueError, match=_EXPECTED + r".* for sample 'b'"):
        read(_Source(make), tmp_path)


@_readers
@_errors
def test_errors_of_a_source_name_the_sample(read, make, tmp_path):
    with pytest.raises((ValueError, FileNotFoundError), match="sample 'b'"):
        read(_Source(make), tmp_path)


@pytest.mark.parametrize("workers", [0, 2])
@_errors
def test_errors_of_an_augmentation_name_the_sample(make, workers):
    sequence = MultiChannelSequence(
        _Source(lambda: _IMAGE + 1), augment=lambda image, rng: make() if image.any() else image, workers=workers
    )
    with pytest.raises((ValueError, FileNotFoundError), match="sample 'b'"):
        sequence[0]
