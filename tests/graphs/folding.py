"""Networks to fold, and what must hold for each."""

import keras
import numpy as np

from keras_hpa import GapNet, reestimate_batch_norm

_RNG = np.random.default_rng(0)


def randomize(model, negative=True):
    """Weights as a training may leave them: scales of any sign, and statistics that are not those of the data."""
    rng = np.random.default_rng(1)
    for layer in leaves(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            sign = rng.choice([-1.0, 1.0], layer.moving_mean.shape) if negative else 1.0
            if layer.scale:
                layer.gamma.assign(sign * rng.uniform(0.5, 1.5, layer.moving_mean.shape))
            if layer.center:
                layer.beta.assign(rng.normal(0, 0.5, layer.moving_mean.shape))
        else:
            layer.set_weights([w if w.ndim > 1 else rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    reestimate_batch_norm(model, keras.ops.convert_to_tensor(images_of(model, 4)))
    for layer in leaves(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            mean, variance = (keras.ops.convert_to_numpy(w) for w in (layer.moving_mean, layer.moving_variance))
            layer.moving_mean.assign(mean + np.sqrt(variance) * rng.normal(0, 0.5, mean.shape))
            layer.moving_variance.assign(variance * rng.uniform(0.5, 2, mean.shape))
    return model


def images_of(model, number):
    """Noise of different brightness."""
    images = _RNG.uniform(0, 1, (number, *model.input_shape[1:])) * np.linspace(0.1, 2, number).reshape(-1, 1, 1, 1)
    return (images * 99).astype("uint8") if "int" in str(model.inputs[0].dtype) else images.astype("float32")


def leaves(model):
    for layer in model.layers:
        yield from leaves(layer) if isinstance(layer, keras.Model) else [layer]


def check_same(model, folded, atol=1e-4):
    """The same outputs, relative to their range, and not constant ones."""
    images = images_of(model, 3)
    before = [keras.ops.convert_to_numpy(weight.value).copy() for weight in model.weights]
    expected, found = (keras.ops.convert_to_numpy(one(images)).astype("float64") for one in (model, folded.model))
    scale = np.abs(expected).max()
    assert expected.std(0).max() > 1e-3 * scale
    np.testing.assert_allclose(found, expected, atol=atol * scale)
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight.value), old)


def count(model):
    return sum(type(layer) is keras.layers.BatchNormalization for layer in leaves(model))


def small_gapnet(**options):
    options = {"variant": "report", "filters": (4, 5, 6), "head_units": (8, 7), "classifier_activation": None} | options
    return GapNet((76, 76, 4), 3, **options)


def chain(*layers, shape=(9, 9, 4)):
    return randomize(keras.Sequential([keras.Input(shape), *layers]))


def norm(name="norm", **options):
    return keras.layers.BatchNormalization(name=name, **options)


def conv(filters=5, size=3, name="conv", **options):
    return keras.layers.Conv2D(filters, size, name=name, **options)
