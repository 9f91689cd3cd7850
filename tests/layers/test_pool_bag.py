import keras
import numpy as np
import pytest
from scipy.special import logsumexp

from keras_hpa import PoolBag
from tests.helpers import check_constructor_arguments, check_layer

_POOLINGS = ("mean", "max", "noisy_or", "log_mean_exp", "attention")


def _expected(pooling, scores):
    return {
        "mean": lambda: scores.mean(axis=0),
        "max": lambda: scores.max(axis=0),
        "noisy_or": lambda: 1 - (1 - scores).prod(axis=0),
        "log_mean_exp": lambda: (logsumexp(2 * scores, axis=0) - np.log(len(scores))) / 2,
    }[pooling]()


def _run(layer, scores, mask=None):
    mask = None if mask is None else keras.ops.convert_to_tensor(mask)
    return keras.ops.convert_to_numpy(layer(keras.ops.convert_to_tensor(scores), mask=mask))


@pytest.mark.parametrize("pooling", _POOLINGS[:4])
def test_pools_what_is_there(pooling):
    scores = np.random.default_rng(0).random((3, 5, 4)).astype("float32")
    mask = np.array([[1, 1, 1, 1, 1], [0, 1, 0, 1, 1], [0, 0, 0, 1, 0]])
    expected = [_expected(pooling, one[there == 1]) for one, there in zip(scores, mask, strict=True)]
    layer = PoolBag(pooling, sharpness=2.0)
    np.testing.assert_allclose(_run(layer, scores, mask), expected, atol=1e-6)
    np.testing.assert_allclose(_run(layer, scores)[0], expected[0], atol=1e-6)


@pytest.mark.parametrize("pooling", _POOLINGS)
@pytest.mark.parametrize("rubbish", [0.0, 1e9, np.nan, np.inf])
def test_empty_places_count_for_nothing(pooling, rubbish):
    scores = np.random.default_rng(1).random((2, 3, 4)).astype("float32")
    layer = PoolBag(pooling)
    longer = np.concatenate([np.full((2, 2, 4), rubbish, "float32"), scores], axis=1)
    mask = np.array([[False, False, True, True, True]] * 2)
    np.testing.assert_allclose(_run(layer, longer, mask), _run(layer, scores), atol=1e-6)


@pytest.mark.parametrize("pooling", _POOLINGS)
def test_bag_without_cells_scores_nought(pooling):
    scores = np.full((1, 3, 4), np.nan, "float32")
    np.testing.assert_array_equal(_run(PoolBag(pooling), scores, np.zeros((1, 3))), np.zeros((1, 4)))


@pytest.mark.parametrize("pooling", _POOLINGS)
def test_one_cell_scores_as_itself(pooling):
    scores = np.random.default_rng(2).random((2, 1, 4)).astype("float32")
    np.testing.assert_allclose(_run(PoolBag(pooling), scores), scores[:, 0], atol=1e-6)


@pytest.mark.parametrize("pooling", _POOLINGS)
def test_trained_weights_do_not_depend_on_empty_places(pooling):
    """One step of plain gradient descent, of the weights before the pool and of its own."""
    rng = np.random.default_rng(3)
    features, labels = rng.normal(size=(3, 2, 5)).astype("float32"), rng.random((3, 4)).astype("float32")
    weights = []
    for places in (2, 4):
        keras.utils.set_random_seed(0)
        bag, mask = keras.Input((places, 5)), keras.Input((places,))
        scores = keras.layers.Dense(4, activation="sigmoid")(bag)
        model = keras.Model([bag, mask], PoolBag(pooling)(scores, mask=mask))
        model.compile(keras.optimizers.SGD(1.0), "mse")
        filled = np.zeros((4, places), "float32")
        filled[:3, :2] = 1  # the fourth bag is empty
        bags = np.full((4, places, 5), 3, "float32")
        bags[:3, :2] = features
        model.fit([bags, filled], np.concatenate([labels, np.zeros((1, 4), "float32")]), verbose=0, shuffle=False)
        weights.append([keras.ops.convert_to_numpy(weight.value) for weight in model.weights])
    for short, long in zip(*weights, strict=True):
        assert np.isfinite(short).all()
        np.testing.assert_allclose(short, long, atol=1e-6)


@pytest.mark.parametrize("pooling", ["log_mean_exp", "attention"])
def test_saves_loads_and_trains(pooling, tmp_path):
    inputs = np.random.default_rng(4).random((4, 3, 2)).astype("float32")
    keras.utils.set_random_seed(0)
    check_layer(PoolBag, {"pooling": pooling}, inputs, tmp_path)


def test_arguments_survive_json():
    arguments = {"pooling": "attention", "sharpness": 2.0, "attention_units": 8}
    check_constructor_arguments(PoolBag, arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"pooling": "median"}, "`pooling`.*median"),
        ({"sharpness": 0}, "`sharpness`.*0"),
        ({"attention_units": 0}, "`attention_units`.*0"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PoolBag(**arguments)


def test_wrong_shape_is_named():
    with pytest.raises(ValueError, match=r"\(batch, cells, num_classes\).*\(2, 3\)"):
        PoolBag().compute_output_shape((2, 3))
