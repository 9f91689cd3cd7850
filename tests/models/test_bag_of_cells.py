import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa import BagOfCells, GapNet, WarmUpBatchNormalization
from tests.helpers import check_loads_in_fresh_process


def _classifier(activation="sigmoid", dropout=1e-9):
    keras.utils.set_random_seed(0)
    return GapNet(
        (12, 12, 2), 3, filters=(4, 6), depths=(1, 1), head_units=(5,), dropout=dropout, head_dropout=(dropout,),
        classifier_activation=activation,
    )  # fmt: skip


def _nested():
    """A network within the classifier, with normalisation in both."""
    image = keras.Input((12, 12, 2))
    x = keras.layers.Conv2D(4, 3, data_format="channels_last", name="one")(keras.layers.BatchNormalization()(image))
    x = keras.layers.Conv2D(4, 3, data_format="channels_last", name="two")(keras.layers.BatchNormalization()(x))
    backbone = keras.Model(image, x)
    return keras_hpa.PretrainedClassifier(backbone, (12, 12, 2), 3, taps=["one", "two"], dropout=0.0)


def _sequential():
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((12, 12, 2)),
            keras.layers.Conv2D(4, 3, data_format="channels_last"),
            keras.layers.BatchNormalization(),
            keras.layers.GlobalAveragePooling2D(data_format="channels_last"),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3),
        ]
    )


class _Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3)

    def call(self, inputs):
        return self.dense(keras.ops.mean(inputs, axis=(1, 2)))


def _cells(shape=(4, 5, 12, 12, 2), seed=0):
    return np.random.default_rng(seed).random(shape).astype("float32")


def _numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


_MASK = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [1, 1, 1, 0, 0]], bool)


def test_the_pool_is_the_one_that_was_measured():
    cells = _cells()
    scores = [
        BagOfCells(_classifier(), **given).predict({"cells": cells, "mask": _MASK}, verbose=0)["image"]
        for given in ({}, {"pooling": "noisy_or"})
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("pooling", ["mean", "max", "noisy_or", "log_mean_exp"])
def test_scores_are_those_of_the_classifier_pooled(pooling):
    model = BagOfCells(_classifier(), pooling=pooling, sharpness=2.0)
    cells = _cells()
    scores = model.predict({"cells": cells, "mask": _MASK}, verbose=0)
    alone = model.classifier.predict(cells.reshape(-1, 12, 12, 2), verbose=0).reshape(4, 5, 3)
    pool = {
        "mean": lambda one: one.mean(axis=0),
        "max": lambda one: one.max(axis=0),
        "noisy_or": lambda one: 1 - (1 - one).prod(axis=0),
        "log_mean_exp": lambda one: np.log(np.exp(2 * one).mean(axis=0)) / 2,
    }[pooling]
    np.testing.assert_allclose(scores["cells"][_MASK], alone[_MASK], atol=1e-6)
    np.testing.assert_allclose(
        scores["image"], [pool(one[there]) for one, there in zip(alone, _MASK, strict=True)], atol=1e-6
    )


@pytest.mark.parametrize("pooling", ["mean", "max", "noisy_or", "log_mean_exp", "attention"])
def test_one_cell_scores_as_the_classifier_does(pooling):
    model = BagOfCells(_classifier(), pooling=pooling)
    cells = _cells((6, 1, 12, 12, 2))
    expected = model.classifier.predict(cells[:, 0], verbose=0)
    assert np.ptp(expected) > 0.01
    for inputs in (cells, {"cells": cells, "mask": np.ones((6, 1), bool)}):
        scores = model.predict(inputs, verbose=0)
        np.testing.assert_allclose(scores["image"], expected, atol=1e-6)
        np.testing.assert_allclose(scores["cells"][:, 0], expected, atol=1e-6)


def _trained(classifier, cells, mask, labels):
    """The weights and moving statistics after two steps of plain gradient descent on bags."""
    model = BagOfCells(classifier, pooling="attention")
    loss = keras_hpa.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.3), {"image": loss, "cells": loss}, loss_weights={"image": 1.0, "cells": 0.5})
    of_cells = np.where(mask[..., None], labels[:, None], -1.0).astype("float32")
    data = {"cells": cells, "mask": mask}, {"image": labels, "cells": of_cells}
    for _ in range(2):
        model.train_on_batch(*data)
    return [_numpy(weight.value) for weight in model.weights]


@pytest.mark.parametrize("build", [lambda: _classifier(None), _sequential])
@pytest.mark.parametrize("rubbish", [7.0, -1e9, np.nan])
def test_training_does_not_see_empty_places(build, rubbish):
    """Not what stands there, and not how many there are: BatchNormalization included."""
    cells, labels = _cells(), np.random.default_rng(1).integers(0, 2, (4, 3)).astype("float32")
    weights = []
    for content, places in ((0.0, 5), (rubbish, 8)):
        longer, mask = np.full((4, places, 12, 12, 2), content, "float32"), np.zeros((4, places), bool)
        mask[:, places - 5 :] = _MASK[:, ::-1] if places == 5 else _MASK
        longer[mask] = cells[_MASK]
        classifier = build()
        classifier.set_weights([weight + 0.1 for weight in classifier.get_weights()])
        keras.utils.set_random_seed(2)
        weights.append(_trained(classifier, longer, mask, labels))
    assert any(isinstance(layer, keras.layers.BatchNormalization) for layer in classifier.layers)
    for one, other in zip(*weights, strict=True):
        assert np.isfinite(one).all()
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_what_stands_in_empty_places_changes_no_bit():
    cells, mask = _cells(), _MASK
    other = np.where(mask[..., None, None, None], cells, np.nan).astype("float32")
    labels = np.ones((4, 3), "float32")
    for one, two in zip(*(_trained(_classifier(), x, mask, labels) for x in (cells, other)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_statistics_are_those_of_the_cells_that_are_there():
    """Also of a network within the classifier, beside a batch of these cells alone."""
    cells, mask = _cells((3, 4, 12, 12, 2)), np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 0, 0]], bool)
    statistics = []
    for run in ("bags", "alone"):
        keras.utils.set_random_seed(0)
        model = BagOfCells(_nested())
        if run == "bags":
            model({"cells": cells, "mask": mask}, training=True)
        else:
            model.classifier(cells[mask], training=True)
        layers = dict(keras_hpa.graphs.layers_by_path(model.classifier)).values()
        norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
        statistics.append([_numpy(value) for norm in norms for value in (norm.moving_mean, norm.moving_variance)])
    assert len(statistics[0]) == 8
    for one, other in zip(*statistics, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_full_bags_train_as_their_cells_do():
    """Bags of one cell are a batch of cells."""
    cells, labels = _cells((6, 1, 12, 12, 2)), np.random.default_rng(3).integers(0, 2, (6, 3)).astype("float32")
    bagged = BagOfCells(_classifier())
    bagged.compile(keras.optimizers.SGD(0.5), {"image": keras_hpa.BinaryCrossentropy(), "cells": None})
    bagged.train_on_batch({"cells": cells, "mask": np.ones((6, 1), bool)}, {"image": labels, "cells": labels[:, None]})
    plain = _classifier()
    plain.compile(keras.optimizers.SGD(0.5), keras_hpa.BinaryCrossentropy())
    plain.train_on_batch(cells[:, 0], labels)
    for one, other in zip(bagged.classifier.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_any_keras_model_and_integers():
    model = _Subclassed()
    model(_cells((1, 12, 12, 2)))
    scores = BagOfCells(model).predict({"cells": _cells(), "mask": _MASK}, verbose=0)
    assert scores["image"].shape == (4, 3)
    classifier = GapNet((12, 12, 2), 3, input_dtype="uint8")
    cells = np.random.default_rng(4).integers(0, 255, (4, 5, 12, 12, 2)).astype("uint8")
    scores = BagOfCells(classifier).predict({"cells": cells, "mask": _MASK}, verbose=0)["cells"]
    alone = classifier.predict(cells[0], verbose=0)
    assert np.ptp(alone) > 1e-4
    np.testing.assert_allclose(scores[0], alone, atol=1e-6)


def test_classifier_has_the_weights_of_the_bag():
    model = BagOfCells(_classifier(), pooling="attention")
    assert {id(weight) for weight in model.classifier.weights} < {id(weight) for weight in model.weights}
    assert len(model.weights) == len({id(weight) for weight in model.weights}) == len(model.classifier.weights) + 3
    keras_hpa.train_only(model, "gapnet/logits")
    assert [weight.path.split("/")[-2] for weight in model.trainable_weights] == ["logits"] * 2
    assert any(isinstance(layer, WarmUpBatchNormalization) for layer in model.classifier.layers)


def test_saved_and_loaded(tmp_path):
    model = BagOfCells(_classifier(), pooling="attention", attention_units=4, name="cells_of_fields")
    loss = keras_hpa.BinaryCrossentropy()
    model.compile("adam", {"image": loss, "cells": loss}, loss_weights={"image": 1.0, "cells": 0.1})
    cells = _cells()
    labels = {"image": np.ones((4, 3), "float32"), "cells": np.ones((4, 5, 3), "float32")}
    model.fit({"cells": cells, "mask": _MASK}, labels, verbose=0)
    model.save(tmp_path / "bag.keras")
    loaded = keras.saving.load_model(tmp_path / "bag.keras")
    assert (loaded.name, loaded.pooling, loaded.attention_units) == ("cells_of_fields", "attention", 4)
    for inputs in (cells, {"cells": cells, "mask": _MASK}):
        for name, scores in model.predict(inputs, verbose=0).items():
            np.testing.assert_allclose(loaded.predict(inputs, verbose=0)[name], scores, atol=1e-6)
    expected = model.evaluate({"cells": cells, "mask": _MASK}, labels, verbose=0)
    np.testing.assert_allclose(loaded.evaluate({"cells": cells, "mask": _MASK}, labels, verbose=0), expected, rtol=1e-5)
    check_loads_in_fresh_process(loaded.classifier, cells[0], tmp_path)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: BagOfCells("GapNet"), TypeError, "`classifier`.*keras.Model.*GapNet"),
        (lambda: BagOfCells(_Subclassed()), ValueError, "called once before"),
        (
            lambda: BagOfCells(keras.Sequential([keras.Input((8, 8)), keras.layers.ReLU()])),
            ValueError,
            r"one output of shape \(batch, num_classes\).*\(None, 8, 8\)",
        ),
        (lambda: BagOfCells(_classifier(), pooling="median"), ValueError, "`pooling`.*median"),
    ],
)  # fmt: skip
def test_wrong_argument_is_named(build, error, message):
    with pytest.raises(error, match=message):
        build()
