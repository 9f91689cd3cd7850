import keras
import numpy as np
import pytest

from keras_hpa.layers import ClassTokenAndPositions
from tests.helpers import check_constructor_arguments, check_layer

PATCHES = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")


def test_the_token_comes_first_and_patches_row_by_row():
    layer = ClassTokenAndPositions((3, 4))
    layer.build(PATCHES.shape)
    token, positions = layer.get_weights()
    expected = np.concatenate([np.repeat(token, 2, 0), PATCHES.reshape(2, 12, 5)], 1) + positions
    np.testing.assert_allclose(keras.ops.convert_to_numpy(layer(PATCHES)), expected, atol=1e-6)


@pytest.mark.parametrize("grid", [(6, 8), (2, 3), (3, 9), (1, 1)])
def test_other_sizes_are_interpolated_as_torch_does_it(grid):
    torch = pytest.importorskip("torch")
    layer = ClassTokenAndPositions(grid)
    layer.build(PATCHES.shape)
    _, positions = layer.get_weights()
    old = torch.from_numpy(np.array(positions[:, 1:].reshape(1, *grid, 5).transpose(0, 3, 1, 2)))
    new = torch.nn.functional.interpolate(old, size=(3, 4), mode="bicubic", align_corners=False).numpy()
    tokens = keras.ops.convert_to_numpy(layer(np.zeros_like(PATCHES)))
    np.testing.assert_allclose(tokens[0, 1:], new[0].transpose(1, 2, 0).reshape(12, 5), atol=1e-6)


def test_a_size_that_is_not_known_beforehand():
    layer = ClassTokenAndPositions((2, 2))
    model = keras.Sequential([keras.Input((None, None, 5)), layer])
    assert model.output_shape == (None, None, 5)
    np.testing.assert_allclose(model.predict(PATCHES, verbose=0), keras.ops.convert_to_numpy(layer(PATCHES)), atol=1e-6)


def test_as_a_keras_layer(tmp_path):
    check_layer(ClassTokenAndPositions, {"grid": (2, 3)}, PATCHES, tmp_path)
    check_constructor_arguments(ClassTokenAndPositions, {"grid": [2, 3]})


@pytest.mark.parametrize("grid", [3, (3,), (3, 0), (1.5, 2), "ab"])
def test_a_wrong_grid_is_refused(grid):
    with pytest.raises(ValueError, match=r"`grid` must be two positive whole numbers\. Received: "):
        ClassTokenAndPositions(grid)
