"""Models that record their scale, and images at another."""

import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, GapNet, PixelSize, Samples, predict_scores
from keras_hpa.layers import GapNetPLPreprocessing


def _model(layer, size=16):
    inputs = keras.Input((size, size, 4))
    x = keras.layers.GlobalAveragePooling2D()(layer(inputs))
    return keras.Model(inputs, keras.layers.Dense(2, activation="sigmoid")(x))


def _samples(pixel_sizes, side=32):
    return Samples(ArraySource(np.zeros((3, side, side, 4), "uint8")), pixel_sizes=pixel_sizes)


@pytest.mark.parametrize("size", [0.28, 0.325, 0.38, None])
def test_a_fifth_is_nothing(size):
    predict_scores(_model(PixelSize(0.65)), _samples(size).batches(image_size=16), verbose=0)


@pytest.mark.parametrize(("size", "times"), [(0.26, "1.25"), (0.65, "0.50")])
def test_more_than_a_fifth_is_warned_of(size, times):
    with pytest.warns(UserWarning, match=rf"0\.65 micro.*'0' is given at {2 * size:.4g}.* {times} .*pixel_size=0\.65"):
        predict_scores(_model(PixelSize(0.65)), _samples(size).batches(image_size=16), verbose=0)


def test_one_objective_of_two():
    with pytest.warns(UserWarning, match="sample '2'"):
        predict_scores(_model(PixelSize(0.65)), _samples([0.325, 0.325, 0.65]).batches(image_size=16), verbose=0)


def test_the_size_that_is_asked_for_is_the_models():
    batches = _samples(0.325).batches(image_size=16, fit="crop", pixel_size=0.65)
    assert batches.pixel_size_at(0) == 0.65
    predict_scores(_model(PixelSize(0.65)), batches, verbose=0)


def test_it_is_saved_with_the_model_and_found_in_a_model_within_one(tmp_path):
    model = GapNet((32, 32, 4), 2, filters=(4, 4, 4), preprocessing=PixelSize(0.65))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    outer = keras.Sequential([keras.Input((32, 32, 4)), loaded])
    with pytest.warns(UserWarning, match="trained at 0.65"):
        predict_scores(outer, _samples(0.3).batches(), verbose=0)


def test_the_published_weights_know_the_atlas_at_full_resolution():
    assert GapNetPLPreprocessing(scale=4).micrometres == pytest.approx(0.32)
    with pytest.warns(UserWarning, match="trained at 0.16"):
        predict_scores(_model(GapNetPLPreprocessing(scale=2)), _samples(0.32).batches(image_size=16), verbose=0)
