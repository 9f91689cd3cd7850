import numpy as np
import pytest

from keras_hpa import SyntheticAtlas


@pytest.mark.parametrize("image_size", [64, (256, 256), (200, 384)])
def test_labels_agree_with_masks(image_size):
    drawn = SyntheticAtlas(2, image_size=image_size)
    nuclei, cells = drawn.cell_labels(1)
    assert nuclei.shape == cells.shape == drawn.image_size
    assert nuclei.dtype == cells.dtype == np.int32
    masks = drawn.masks(1)
    assert np.mean((nuclei > 0) == masks["nucleus"]) > 0.97
    assert np.mean((cells > 0) == masks["cell"]) > 0.95
    np.testing.assert_array_equal(np.unique(np.append(cells, 0)), np.arange(cells.max() + 1))
    np.testing.assert_array_equal(cells[nuclei > 0], nuclei[nuclei > 0])


def test_the_same_cells_at_every_size():
    small, large = (SyntheticAtlas(1, image_size=size).cell_labels(0)[0] for size in (256, 512))
    assert np.mean((small > 0) == (large[::2, ::2] > 0)) > 0.97
    assert abs(len(np.unique(small)) - len(np.unique(large))) <= 1


def test_an_index_out_of_range():
    with pytest.raises(IndexError, match="`index` must lie in 0 to 1"):
        SyntheticAtlas(2, image_size=64).cell_labels(2)
