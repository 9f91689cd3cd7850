import h5py
import keras
import pytest

from keras_hpa.models.load_weights import load_weights


class Blocks(keras.layers.Layer):
    """Layers in a list within a list, where Keras loads a file that lacks them with a warning."""

    def __init__(self):
        super().__init__(name="blocks")
        self.blocks = [[keras.layers.Dense(2)]]

    def call(self, inputs):
        return self.blocks[0][0](inputs)


def test_layers_that_the_file_lacks_do_not_stay_random(tmp_path):
    model = keras.Sequential([keras.Input((3,)), Blocks()])
    model.save_weights(tmp_path / "old.weights.h5")
    with h5py.File(tmp_path / "old.weights.h5", "a") as file:
        del file["layers/blocks/blocks/container"]
    with pytest.raises(ValueError, match=r"old\.weights\.h5', which does not fit: Skipping nested container"):
        load_weights(model, tmp_path / "old.weights.h5", "None or a weights file of the same network")
