import keras
import numpy as np
import pytest

from keras_hpa import GapNet, PretrainedClassifier, ThresholdLayer, class_activation_maps, multi_level_gap
from keras_hpa.explanation.class_activation_maps import View

_RNG = np.random.default_rng(0)
_IMAGES = _RNG.uniform(0, 1, (3, 32, 32, 4)).astype("float32")


def vary(model):
    """Random biases and statistics, so that every term of every layer counts."""
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            vary(layer)
        elif isinstance(layer, keras.layers.BatchNormalization):
            shape = layer.moving_mean.shape
            values = [rng.choice([-1, 1], shape) * rng.uniform(0.5, 1.5, shape), *rng.normal(0, 0.3, (2, *shape))]
            weights = (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance)
            for weight, value in zip(weights, [*values, rng.uniform(0.05, 0.5, shape)], strict=True):
                weight.assign(value)
        else:
            layer.set_weights([w if w.ndim > 1 else rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    return model


def gapnet(**options):
    options = {"variant": "report", "filters": (4, 5), "depths": (1, 2), "head_units": (9, 8)} | options
    return vary(GapNet((32, 32, 4), 3, **options))


def backbone():
    inputs = keras.Input((32, 32, 4))
    x = keras.layers.Conv2D(5, 3, strides=2, padding="same", activation="relu", name="early")(inputs)
    x = keras.layers.Conv2D(6, 3, strides=2, padding="same", activation="relu", name="late")(x)
    return keras.Model(inputs, x)


def outputs_of(model, images=_IMAGES):
    return keras.ops.convert_to_numpy(model(images)).astype("float64")


def mean_contribution(view, images=_IMAGES, class_ids=(0, 1, 2)):
    return sum(level.maps.astype("float64").mean((1, 2)) for level in view.levels(images, class_ids))


def affine_head(model, pooled):
    """The head of a GapNet in NumPy: logits, and the constant of its linear piece at each sample."""
    x, constant = pooled, np.zeros_like(pooled)
    for layer in model.layers[[layer.name for layer in model.layers].index("head_norm1") :]:
        if isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()[:4]
            scale = gamma / np.sqrt(variance + layer.epsilon)
            x, constant = (x - mean) * scale + beta, (constant - mean) * scale + beta
        elif isinstance(layer, keras.layers.Dense):
            kernel, bias = layer.get_weights()
            x, constant = x @ kernel + bias, constant @ kernel + bias
            if layer.name != "logits":
                constant, x = constant * (x > 0), np.maximum(x, 0)
    return x, constant


@pytest.mark.parametrize("options", [{}, {"variant": "light"}, {"classifier_activation": None, "dropout": 0.9}])
def test_every_level_of_gapnet_is_exact(options):
    model = gapnet(**options)
    view = View(model)
    assert view.exact
    pooled = outputs_of(keras.Model(model.inputs[0], model.get_layer("taps").output))
    logits, constant = affine_head(model, pooled)
    found = mean_contribution(view)
    assert len(view.levels(_IMAGES, [0])) == 2
    assert found.std() > 0.05
    np.testing.assert_allclose(found + constant, logits, atol=1e-4)


@pytest.mark.parametrize("head", ["gap", "multi-level"])
def test_heads_on_a_pretrained_network(head):
    taps = ["early", "late"] if head == "multi-level" else None
    model = vary(PretrainedClassifier(backbone(), (32, 32, 4), 3, weights=None, head=head, taps=taps))
    view = View(model)
    assert view.exact
    if head == "gap":
        bias = model.get_layer("logits").get_weights()[1]
        logits = np.log(outputs_of(model) / (1 - outputs_of(model)))
        np.testing.assert_allclose(mean_contribution(view) + bias, logits, atol=1e-4)
    else:
        assert [level.maps.shape for level in view.levels(_IMAGES, [2])] == [(3, 16, 16, 1), (3, 8, 8, 1)]


def test_squeeze_and_excite_weighs_the_maps():
    features = multi_level_gap(backbone(), ["early", "late"], squeeze_excite=2)
    model = vary(keras.Model(features.inputs[0], keras.layers.Dense(3)(features.output)))
    view = View(model)
    assert view.exact
    np.testing.assert_allclose(
        mean_contribution(view) + model.layers[-1].get_weights()[1], outputs_of(model), atol=1e-4
    )
    assert np.isfinite(class_activation_maps(model, _IMAGES)).all()


def test_a_network_that_ends_in_pooling():
    inputs = keras.Input((32, 32, 4))
    maps = keras.layers.Conv2D(3, 3, padding="same", name="maps")(inputs)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))
    expected = outputs_of(keras.Model(inputs, maps))
    np.testing.assert_allclose(class_activation_maps(model, _IMAGES), expected, atol=1e-5)


@pytest.mark.parametrize("end", ["activation layer", "dense", "softmax", "thresholds"])
def test_what_follows_the_logits_is_left_out(end):
    inputs = keras.Input((32, 32, 4))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone()(inputs))
    logits = keras.layers.Dense(3, activation="sigmoid" if end == "dense" else None, name="logits")
    outputs = logits(pooled)
    if end == "activation layer":
        outputs = keras.layers.Activation("sigmoid")(outputs)
    elif end == "softmax":
        outputs = keras.layers.Softmax()(outputs)
    elif end == "thresholds":
        outputs = ThresholdLayer([0.5] * 3)(keras.layers.Activation("sigmoid")(outputs))
    model = keras.Model(inputs, outputs)
    # Saturated: a gradient through the sigmoid would vanish.
    logits.set_weights([1e4 * weight for weight in logits.get_weights()])
    features = outputs_of(keras.Model(model.layers[1].inputs[0], model.layers[1].outputs[0]))
    expected = features @ logits.get_weights()[0]
    found = View(model).levels(_IMAGES, [0, 1, 2])[0].maps
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1)


def flat_model():
    inner = backbone()
    x = keras.layers.Dropout(0.5)(keras.layers.Flatten()(inner.output))
    return vary(keras.Model(inner.inputs[0], keras.layers.Dense(3, activation="sigmoid", name="scores")(x)))


def test_grad_cam_on_the_last_feature_maps():
    model = flat_model()
    view = View(model)
    assert not view.exact
    features = outputs_of(keras.Model(model.inputs[0], model.get_layer("late").output))
    kernel = model.get_layer("scores").get_weights()[0].reshape(*features.shape[1:], 3)
    expected = np.einsum("nhwc,ck->nhwk", features, kernel.sum((0, 1)))
    np.testing.assert_allclose(view.levels(_IMAGES, [2, 0])[0].maps, expected[..., [2, 0]], atol=1e-4)


def test_grad_cam_agrees_with_the_exact_maps_where_both_apply():
    model = vary(PretrainedClassifier(backbone(), (32, 32, 4), 3, weights=None, head="gap"))
    exact = class_activation_maps(model, _IMAGES)
    np.testing.assert_allclose(class_activation_maps(model, _IMAGES, layer="backbone/late"), exact, atol=1e-4)


@pytest.mark.slow
def test_any_network_gets_maps():
    models = [gapnet(pooling="max"), gapnet(pooling="avg+max"), gapnet(variant="gapnet-pl", depths=(1, 1))]
    assert [View(model).exact for model in models] == [False, False, True]
    assert all(class_activation_maps(model, _IMAGES, [1]).std() > 0 for model in models)
    sequential = keras.Sequential([backbone(), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2)])
    assert class_activation_maps(sequential, _IMAGES).shape == (3, 32, 32, 2)


def test_selu_heads_are_right_to_first_order():
    model = gapnet(variant="gapnet-pl", depths=(1, 1), preprocessing=None, classifier_activation=None)
    taps = keras.Model(model.inputs[0], model.get_layer("taps").output)
    pooled, found = outputs_of(taps), mean_contribution(View(model))

    def head(x):
        for name in ("head_dense1", "head_dense2", "logits"):
            kernel, bias = (weight.astype("float64") for weight in model.get_layer(name).get_weights())
            x = x @ kernel + bias
            x = x if name == "logits" else 1.05070098 * np.where(x > 0, x, 1.67326324 * np.expm1(np.minimum(x, 0)))
        return x

    step = 1e-6
    numeric = (head(pooled * (1 + step)) - head(pooled * (1 - step))) / (2 * step)
    np.testing.assert_allclose(found, numeric, atol=1e-4)


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_maps_lie_where_the_image_is_bright(padding):
    inputs = keras.Input((61, 70, 1))
    x = keras.layers.Conv2D(1, 5, strides=2, padding=padding, kernel_initializer="ones")(inputs)
    x = keras.layers.ZeroPadding2D(((2, 0), (1, 3)))(x)
    x = keras.layers.MaxPooling2D(2, padding=padding)(x)
    x = keras.layers.DepthwiseConv2D(3, padding=padding, depthwise_initializer="ones", activation="relu")(x)
    x = keras.layers.Cropping2D(((1, 0), (0, 1)))(x)
    x = keras.layers.UpSampling2D(2)(x)
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    for y, x in [(17, 20), (30, 41), (40, 48)]:
        image = np.zeros((1, 61, 70, 1), "float32")
        image[0, y, x] = 1
        seen = class_activation_maps(model, image)[0, ..., 0]
        rows, columns = np.nonzero(seen > 0.99 * seen.max())
        # Within half a step of the coarsest maps.
        assert abs(rows.mean() - y) <= 2.5
        assert abs(columns.mean() - x) <= 2.5


def test_the_batch_size_changes_nothing_and_the_model_is_left_alone():
    model = gapnet(input_dtype="uint8", normalization="batch", dropout=0.5)
    model.compile("adam", "binary_crossentropy")
    images = (255 * _IMAGES).astype("uint8")
    before = [keras.ops.convert_to_numpy(weight.value).copy() for weight in model.weights]
    maps = class_activation_maps(model, images)
    assert maps.shape == (3, 32, 32, 3)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(class_activation_maps(model, images, [2, 0], batch_size=2), maps[..., [2, 0]], atol=1e-5)
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(weight.value), old)
    assert model.get_layer("tap1").output.shape == (None, 4)
    assert model.compiled
    model.train_on_batch(images, np.ones((3, 3)))


def test_mixed_precision():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        half = gapnet()
        maps = class_activation_maps(half, _IMAGES)
    finally:
        keras.config.set_dtype_policy(policy)
    single = gapnet()
    single.set_weights(half.get_weights())
    expected = class_activation_maps(single, _IMAGES)
    np.testing.assert_allclose(maps, expected, atol=0.02 * np.abs(expected).max())


@pytest.mark.parametrize("layer", [None, "block2_conv2"], ids=["exact", "grad-cam"])
@pytest.mark.parametrize("floatx", ["float64", "float16"])
def test_the_default_float_type_changes_only_the_precision(floatx, layer):
    if (keras.backend.backend(), floatx) == ("jax", "float64"):
        pytest.skip("JAX has no float64 unless it is started with JAX_ENABLE_X64")
    single = gapnet()
    expected = class_activation_maps(single, _IMAGES, layer=layer)
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(floatx)
    try:
        np.testing.assert_allclose(class_activation_maps(single, _IMAGES, layer=layer), expected, atol=1e-5)
        other = gapnet()
        other.set_weights(single.get_weights())
        maps = class_activation_maps(other, _IMAGES, layer=layer)
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")
    np.testing.assert_allclose(maps, expected, atol=0.05 * np.abs(expected).max())


@pytest.mark.parametrize("class_ids", [[2, 0], (2, 0), np.array([2, 0], "uint8"), range(2, -1, -2)], ids=type)
def test_class_ids_are_any_sequence_of_whole_numbers(class_ids):
    model = gapnet()
    expected = class_activation_maps(model, _IMAGES)[..., [2, 0]]
    np.testing.assert_allclose(class_activation_maps(model, _IMAGES, class_ids), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"class_ids": 1}, "`class_ids` must hold numbers from 0 to 2. Received: 1$"),
        ({"class_ids": ["Golgi"]}, r"`class_ids` must hold numbers from 0 to 2. Received: \['Golgi'\]"),
        ({"class_ids": "1"}, "`class_ids` must hold numbers from 0 to 2. Received: '1'"),
        ({"class_ids": [1.0]}, r"`class_ids` must hold numbers from 0 to 2. Received: \[1\.0\]"),
        ({"class_ids": [True]}, r"`class_ids` must hold numbers from 0 to 2. Received: \[True\]"),
        ({"class_ids": [[0]]}, r"`class_ids` must hold numbers from 0 to 2. Received: \[\[0\]\]"),
        ({"class_ids": [-1]}, r"`class_ids` must hold numbers from 0 to 2. Received: \[-1\]"),
        ({"images": _IMAGES[..., :3]}, r"`images` must have shape \(None, 32, 32, 4\).*\(3, 32, 32, 3\)"),
        ({"class_ids": [3]}, r"`class_ids` must hold numbers from 0 to 2. Received: \[3\]"),
        ({"class_ids": []}, r"`class_ids` must hold numbers from 0 to 2. Received: \[\]"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"layer": "logits"}, r"`layer` must be one of .*block2_conv2.*Received: 'logits'"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        class_activation_maps(gapnet(), **({"images": _IMAGES} | arguments))


def test_models_that_cannot_be_shown_are_refused():
    flat = keras.Sequential([keras.Input((32, 32, 4)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="`model` must have feature maps"):
        class_activation_maps(flat, _IMAGES)
    pooled = keras.layers.GlobalAveragePooling2D(data_format="channels_first", name="pool")
    first = keras.Sequential([keras.Input((4, 32, 32)), pooled, keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"`model` must take its channels last. Received: layer 'pool'"):
        class_activation_maps(first, _IMAGES)
    with pytest.raises(ValueError, match="`model` must give one score per class"):
        class_activation_maps(backbone(), _IMAGES)
    with pytest.raises(TypeError, match="`model` must be a functional or sequential model of one image"):
        class_activation_maps(keras.layers.Dense(2), _IMAGES)
    with pytest.raises(ValueError, match="`images` must be integers, as the model takes uint8"):
        class_activation_maps(gapnet(input_dtype="uint8"), _IMAGES)
    with pytest.raises(
        ValueError, match=r"`images` must be floats, 0 to 1, as the model takes float32\. Received: uint8"
    ):
        class_activation_maps(gapnet(), (255 * _IMAGES).astype("uint8"))


def test_bytes_are_taken_by_a_model_that_scales_them_itself():
    inputs = keras.Input((32, 32, 4))
    maps = keras.layers.Conv2D(3, 3, padding="same")(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps))
    images = (255 * _IMAGES).astype("uint8")
    expected = class_activation_maps(model, images.astype("float32"))
    np.testing.assert_allclose(class_activation_maps(model, images), expected, atol=1e-5)
