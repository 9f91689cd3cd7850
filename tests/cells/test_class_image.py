import numpy as np
import pytest

from keras_hpa.cells import class_image
from tests.cells.fields import field_of_rectangles


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_every_pixel_has_the_value_of_its_cell(dtype):
    _, mask = field_of_rectangles()
    labels = mask.astype(dtype)
    values = {int(number): int(number) ** 2 for number in np.unique(mask)[1:-1]}
    expected = np.full(mask.shape, -1)
    for number, value in values.items():
        expected[mask == number] = value
    np.testing.assert_array_equal(class_image(labels, values, background=-1), expected)


def test_several_values_and_large_labels():
    labels = np.array([[0, 2**40], [5, 0]])
    colours = class_image(labels, {2**40: (255, 0, 0), 5: np.array([0, 9, 0])})
    assert colours.tolist() == [[[0, 0, 0], [255, 0, 0]], [[0, 9, 0], [0, 0, 0]]]


def test_types():
    labels = np.array([[0, 1]])
    assert class_image(labels, {1: np.float32(0.5)}, background=np.float32(0)).dtype == np.float32
    assert np.isnan(class_image(labels, {1: 3}, background=np.nan)[0, 0])
    assert class_image(labels, {}, background=7).tolist() == [[7, 7]]


@pytest.mark.parametrize(
    ("labels", "values", "message"),
    [
        ([[0.0, 1.0]], {1: 1}, r"`labels` must be whole numbers of shape \(height, width\)\. Received: float64"),
        ([0, 1], {1: 1}, r"`labels` must be whole numbers.*shape \(2,\)"),
        ([[0, 1]], [3], "`values` must be a mapping"),
        ([[0, 1]], {2: 3}, r"`values` must have labels of cells that are in `labels`\. Received: 2"),
        ([[0, 1]], {0: 3}, "that are in `labels`. Received: 0"),
        ([[2, 1]], {1: 3, 2: (1, 2)}, r"`values` must all have one shape\. Received: \[\(\), \(2,\)\]"),
    ],
)
def test_wrong_arguments(labels, values, message):
    with pytest.raises(ValueError, match=message):
        class_image(labels, values)
