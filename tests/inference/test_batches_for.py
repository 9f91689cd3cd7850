import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, GapNet, Samples, predict_scores
from keras_hpa.evaluation import price_of_channels
from keras_hpa.inference import batches_for
from keras_hpa.report.pictures import read_images

_IMAGES = np.random.default_rng(0).integers(0, 256, (12, 40, 40, 2)).astype("uint8")
_SAMPLES = Samples(ArraySource(_IMAGES, channels=("dapi", "gfp")), np.eye(12, 3, dtype="uint8")[np.arange(12) % 3])


def _model(dtype, size=32):
    keras.utils.set_random_seed(0)
    return GapNet((size, size, 2), 3, filters=(4, 6), depths=(1, 1), input_dtype=dtype)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("size", [32, None])
def test_all_who_read_for_a_model_read_alike(dtype, size):
    model = _model(dtype, size)
    batches = batches_for(model, _SAMPLES)
    images, labels = batches[0]
    assert images.dtype.name == dtype
    assert images.shape[1:3] == (size or 40, size or 40)
    np.testing.assert_array_equal(labels, _SAMPLES.labels)
    np.testing.assert_array_equal(read_images(_SAMPLES, range(12), model, None), images)
    np.testing.assert_array_equal(predict_scores(model, _SAMPLES, verbose=0), predict_scores(model, batches, verbose=0))
    taken = [
        price_of_channels(model, read, metric="macro_roc_auc", subsets=["gfp"], verbose=0).rows
        for read in (_SAMPLES, batches)
    ]
    assert taken[0] == taken[1]


def test_options_stand_in_place_of_the_models():
    batches = batches_for(_model("uint8"), _SAMPLES, image_size=20, batch_size=5)
    assert batches[0][0].shape == (5, 20, 20, 2)
    assert batches_for(_model("uint8"), _SAMPLES, resize=False).image_size is None
    with pytest.raises(ValueError, match="models of one input size"):
        batches_for([_model("uint8"), _model("uint8", 24)], _SAMPLES)
