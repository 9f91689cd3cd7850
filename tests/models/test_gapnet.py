import keras
import numpy as np
import pytest

from keras_hpa import (
    GapNet,
    ImageStandardization,
    TextureFeatures,
    WarmUpBatchNormalization,
    reestimate_batch_norm,
    train_only,
)
from tests.helpers import check_every_weight_trains, check_loads_in_fresh_process

IMAGES = np.random.default_rng(0).random((2, 76, 80, 4)).astype("float32")
NARROW = {"filters": (4, 6, 8), "head_units": (10, 12)}
SMALL = NARROW | {"variant": "report", "batch_norm_momentum": 0.9}
REPORT = {"input_shape": (512, 512, 4), "num_classes": 28, "variant": "report"}


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_parameters_of_the_report():
    model = GapNet(**REPORT)
    assert model.input_shape == (None, 512, 512, 4)
    assert count(model.weights) == 597_388
    assert count(model.trainable_weights) == 595_268


def test_parameters_of_the_second_stage_of_the_report():
    model = train_only(GapNet(**REPORT), ["head_dense1", "head_norm2", "head_dense2", "logits"])
    assert count(model.trainable_weights) == 131_100


def test_layers_of_the_report():
    model = GapNet(**REPORT)
    normalized_convolution = ["norm", "conv", "activation"]
    expected = ["image"]
    for block, depth in ((1, 1), (2, 3), (3, 3)):
        expected += [f"block{block}_{kind}{n}" for n in range(1, depth + 1) for kind in normalized_convolution]
        expected += [] if block == 3 else [f"block{block}_norm{depth + 1}", f"block{block}_pool"]
        expected += [f"block{block}_dropout"]
    expected += ["tap1", "tap2", "tap3", "taps"]
    expected += [f"head_{kind}{number}" for number in (1, 2) for kind in ("norm", "dense", "dropout")]
    expected += ["logits", "probabilities"]
    assert {layer.name for layer in model.layers} == set(expected)
    shapes = {name: model.get_layer(name).output.shape[1:] for name in ("block1_pool", "block2_pool", "block3_dropout")}
    assert shapes == {"block1_pool": (255, 255, 32), "block2_pool": (61, 61, 64), "block3_dropout": (55, 55, 128)}
    rates = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates == {f"block{n}_dropout": 0.25 for n in (1, 2, 3)} | {"head_dropout1": 0.25, "head_dropout2": 0.1}


def plain_report(num_classes):
    """The report's network in Keras's own layers, whose BatchNormalization keeps .99."""
    layers = keras.layers
    inputs = x = keras.Input((80, 76, 4))
    taps = []
    for filters, depth, strides in ((4, 1, 1), (6, 3, 2), (8, 3, 1)):
        for number in range(depth):
            x = layers.Conv2D(filters, 3, 1 if number else strides, "valid", activation="relu")(
                layers.BatchNormalization()(x)
            )
        if filters < 8:
            x = layers.MaxPooling2D(2)(layers.BatchNormalization()(x))
        x = layers.Dropout(0.25)(x)
        taps.append(layers.GlobalAveragePooling2D()(x))
    x = layers.Concatenate()(taps)
    for units, rate in ((10, 0.25), (12, 0.1)):
        x = layers.Dense(units, activation="relu")(layers.BatchNormalization()(x))
        x = layers.Dropout(rate)(x)
    return keras.Model(inputs, layers.Dense(num_classes, activation="sigmoid")(x))


def test_the_report_is_bit_for_bit_what_keras_own_layers_make_of_it():
    results = []
    for build in (plain_report, lambda classes: GapNet((80, 76, 4), classes, variant="report", **NARROW)):
        keras.utils.set_random_seed(0)
        model = build(3)
        model.compile("sgd", "binary_crossentropy")
        images = IMAGES.transpose(0, 2, 1, 3)
        model.fit(images, np.eye(3, dtype="float32")[:2], epochs=2, verbose=0)
        results.append([*model.get_weights(), model.predict(images, verbose=0)])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_taps_are_means_over_the_image():
    model = GapNet((76, 80, 4), 28, **SMALL)
    names = ["block1_dropout", "block2_dropout", "block3_dropout", "taps"]
    *maps, taps = keras.Model(model.inputs[0], [model.get_layer(name).output for name in names]).predict(
        IMAGES, verbose=0
    )
    np.testing.assert_allclose(taps, np.concatenate([m.mean((1, 2)) for m in maps], -1), atol=1e-5)


def test_texture_stands_beside_the_taps():
    model = GapNet((76, 80, 4), 5, texture=np.array([3, 1]), **SMALL)
    taps = keras.Model(model.input, model.get_layer("taps").output).predict(IMAGES, verbose=0)
    expected = keras.ops.convert_to_numpy(TextureFeatures()(IMAGES[..., [3, 1]]))
    np.testing.assert_allclose(taps[:, 18:], expected, atol=1e-4)
    assert GapNet((None, None, 4), 5, texture=[1], **SMALL).get_layer("taps").output.shape == (None, 18 + 77)


@pytest.mark.slow
@pytest.mark.parametrize("texture", [[], [1]])
def test_trains_saves_and_loads(texture, tmp_path):
    images = (IMAGES * 255).astype("uint8")
    model = GapNet((None, None, 4), 5, input_dtype="uint8", texture=texture, **SMALL)
    check_every_weight_trains(model, images)
    check_loads_in_fresh_process(model, images, tmp_path)


@pytest.mark.parametrize(("input_dtype", "max_value", "largest"), [("uint8", None, 255), ("uint16", 4095, 4095)])
def test_integer_images_give_what_their_floats_give(input_dtype, max_value, largest):
    integers = np.round(IMAGES * largest).astype(input_dtype)
    by_floats = GapNet((76, 80, 4), 5, **SMALL)
    by_integers = GapNet((76, 80, 4), 5, input_dtype=input_dtype, max_value=max_value, **SMALL)
    by_integers.set_weights(by_floats.get_weights())
    np.testing.assert_allclose(
        by_integers.predict(integers, verbose=0),
        by_floats.predict((integers / largest).astype("float32"), verbose=0),
        atol=1e-5,
    )


def test_half_precision_gives_probabilities_in_single_precision():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = GapNet((76, 80, 4), 5, **SMALL)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("block1_conv1").compute_dtype == "float16"
    assert model.output.dtype == "float32"
    assert np.isfinite(model.predict(IMAGES, verbose=0)).all()


def test_weights_file(tmp_path):
    model = GapNet((76, 80, 4), 5, **SMALL)
    model.save_weights(tmp_path / "gapnet.weights.h5")
    restored = GapNet((76, 80, 4), 5, weights=tmp_path / "gapnet.weights.h5", **SMALL)
    np.testing.assert_array_equal(restored.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0))


def test_wrong_weights_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`weights` must be.*none\.weights\.h5"):
        GapNet(**REPORT, weights=tmp_path / "none.weights.h5")
    (tmp_path / "damaged.weights.h5").write_bytes(b"no weights")
    with pytest.raises(OSError, match=r"damaged\.weights\.h5.*is damaged"):
        GapNet(**REPORT, weights=tmp_path / "damaged.weights.h5")
    GapNet((76, 80, 4), 5, **SMALL).save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(ValueError, match=r"other\.weights\.h5.*does not fit"):
        GapNet(**REPORT, weights=tmp_path / "other.weights.h5")
    with pytest.raises(ValueError, match=r"other\.weights\.h5.*does not fit: .*Dense name=logits"):
        GapNet((76, 80, 4), 6, weights=tmp_path / "other.weights.h5", **SMALL)


@pytest.mark.parametrize("normalization", ["batch", "batch-warm-up", "none"])
@pytest.mark.parametrize(("pooling", "num_taps"), [("avg", 18), ("max", 18), ("avg+max", 36)])
def test_options(normalization, pooling, num_taps):
    model = GapNet((76, 80, 4), 5, normalization=normalization, pooling=pooling, classifier_activation=None, **SMALL)
    assert model.get_layer("taps").output.shape == (None, num_taps)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    kinds = {"batch": {keras.layers.BatchNormalization}, "batch-warm-up": {WarmUpBatchNormalization}, "none": set()}
    assert {type(norm) for norm in norms} == kinds[normalization]
    assert all(norm.momentum == 0.9 for norm in norms)
    logits = keras.Model(model.inputs[0], model.get_layer("logits").output).predict(IMAGES, verbose=0)
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), logits)


@pytest.mark.parametrize(
    ("options", "smallest"),
    [
        ({}, 76),
        ({"stem_strides": 2}, 149),
        ({"filters": (4,), "depths": (2,)}, 5),
        ({"filters": (4, 4, 4, 4), "depths": (1, 1, 1, 1)}, 68),
    ],
)
def test_smallest_image(options, smallest):
    small = SMALL | options
    images = np.zeros((1, smallest, smallest, 4), "float32")
    assert np.isfinite(GapNet((smallest, None, 4), 5, **small).predict(images, verbose=0)).all()
    with pytest.raises(ValueError, match=rf"`input_shape` must be at least {smallest} pixels.*Received: \(512, "):
        GapNet((512, smallest - 1, 4), 5, **small)


@pytest.mark.parametrize(
    ("options", "size"),
    [({"stem_strides": 2, "padding": "same"}, 32), ({"stem_strides": 2, "padding": "symmetric"}, 32), ({}, 55)],
)
def test_size_of_the_last_feature_maps(options, size):
    assert GapNet(**REPORT, **options).get_layer("block3_activation3").output.shape == (None, size, size, 128)


@pytest.mark.parametrize("variant", ["light", "textured", "gapnet-pl"])
def test_padded_variants_take_small_images(variant):
    model = GapNet((20, 24, 4), 5, variant=variant)
    assert np.isfinite(model.predict(IMAGES[:, :20, :24], verbose=0)).all()


@pytest.mark.slow
def test_validation_follows_a_short_training_with_compile_and_fit_alone():
    rng = np.random.default_rng(0)
    brightness = np.linspace(0.2, 1, 32, dtype="float32")[:, None, None, None]
    images, labels = (
        rng.random((32, 32, 32, 4), "float32") * brightness,
        (np.arange(32) >= 16).astype("float32")[:, None],
    )
    lags = {}
    for variant in ("light", "report"):
        keras.utils.set_random_seed(0)
        model = GapNet(
            (32, 32, 4), 1, variant=variant, padding="same", filters=(4, 4, 4), head_units=(8,), head_dropout=(0,)
        )
        model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
        history = model.fit(images, labels, validation_data=(images, labels), batch_size=8, epochs=6, verbose=0).history
        again = reestimate_batch_norm(model, [images[::4], images[1::4], images[2::4], images[3::4]])
        lags[variant] = history["val_loss"][-1] - again.evaluate(images, labels, verbose=0)
    assert lags["light"] < 0.05 < lags["report"]


def test_channels_first_in_the_configuration_changes_nothing():
    try:
        keras.config.set_image_data_format("channels_first")
        models = [GapNet((20, 24, 4), 5, variant=variant, pooling="avg+max") for variant in ("light", "gapnet-pl")]
    finally:
        keras.config.set_image_data_format("channels_last")
    for model, variant in zip(models, ("light", "gapnet-pl"), strict=True):
        plain = GapNet((20, 24, 4), 5, variant=variant, pooling="avg+max")
        assert model.count_params() == plain.count_params()
        plain.set_weights(model.get_weights())
        images = IMAGES[:, :20, :24]
        np.testing.assert_array_equal(model.predict(images, verbose=0), plain.predict(images, verbose=0))


def test_group_normalization_does_not_look_at_the_batch():
    model = GapNet((76, 80, 4), 5, normalization="group", **SMALL)
    assert count(model.non_trainable_weights) == 0
    np.testing.assert_allclose(
        model.predict(IMAGES, verbose=0)[:1], model.predict(IMAGES[:1], verbose=0), rtol=1e-4, atol=1e-6
    )


def test_a_layer_of_ones_own_before_the_network():
    model = GapNet((76, 80, 4), 5, preprocessing=ImageStandardization(name="standardize"), **SMALL)
    np.testing.assert_allclose(model.predict(IMAGES, verbose=0), model.predict(IMAGES * 3 + 1, verbose=0), atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"preprocessing": "standardize"}, '`preprocessing` must be "default"'),
        ({"variant": "gapnet"}, r"`variant` must be one of \['gapnet-pl', 'light', 'report', 'textured'\]"),
        ({"num_classes": 0}, "`num_classes`"),
        ({"pooling": "sum"}, "`pooling`"),
        ({"texture": [4]}, r"`texture` must be numbers of channels, 0 to 3\. Received: \[4\]"),
        ({"texture": ["protein"]}, r"`texture` must be numbers.*\['protein'\]"),
        ({"texture": True}, "`texture` must be numbers.*True"),
        ({"padding": "full"}, "`padding`"),
        ({"normalization": "layer"}, "`normalization`"),
        ({"depths": (1, 3)}, "`depths` must have one entry per entry of `filters`, 3"),
        ({"head_dropout": (0.1,)}, "`head_dropout` must have one entry"),
        ({"filters": (), "depths": ()}, "`filters` must be positive"),
        ({"depths": (1, 0, 3)}, "`depths` must be positive"),
        ({"input_shape": (512, 512)}, "`input_shape` must be"),
        ({"input_shape": 64}, r"`input_shape` must be \(height, width, channels\).* Received: 64"),
        ({"input_shape": "512"}, "`input_shape` must be"),
        ({"input_shape": (64.5, 64, 4)}, "`input_shape` must be"),
        ({"input_shape": (0, 64, 4)}, "`input_shape` must be"),
        ({"filters": 8}, "`filters` must be a list of numbers. Received: 8"),
        ({"depths": 2}, "`depths` must be a list of numbers. Received: 2"),
        ({"head_units": "256"}, "`head_units` must be a list of numbers. Received: '256'"),
        ({"head_dropout": 0.5}, "`head_dropout` must be a list of numbers. Received: 0.5"),
        ({"num_classes": "28"}, "`num_classes`"),
        ({"num_classes": None}, "`num_classes`"),
        ({"num_classes": 2.5}, "`num_classes`"),
        ({"input_shape": (512, 512, None)}, "`input_shape` must be"),
        ({"max_value": 4095}, "`max_value` scales integers"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GapNet(**REPORT | arguments)
