import keras
import numpy as np
import pytest

from keras_hpa import (
    GapNet,
    PretrainedClassifier,
    WarmUpBatchNormalization,
    multi_level_gap,
    reestimate_batch_norm,
    train_only,
)
from tests.helpers import check_loads_in_fresh_process

IMAGES = np.random.default_rng(0).random((2, 96, 96, 4)).astype("float32")
WEIGHTS_OF_MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"

REPORT = {"adapter": "mixer", "matrix": "report", "head": "report"}
ADAPTERS = {"mixer": {"adapter": "mixer", "matrix": "report"}, "inflate": {"adapter": "inflate"}}


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def make_small(**arguments):
    options = {"weights": None, "adapter": "mixer", "head": "report"} | arguments
    options = {"matrix": "report" if options["adapter"] == "mixer" else None} | options
    return PretrainedClassifier("MobileNetV2", (96, 96, 4), 5, **options)


@pytest.mark.slow
def test_parameters_of_the_report():
    model = PretrainedClassifier("InceptionResNetV2", (299, 299, 4), 28, weights=None, **REPORT)
    constants = model.get_layer("mixer").weights
    assert count(constants) == 12
    assert count(model.weights) - count(constants) == 58_742_664
    assert count(model.trainable_weights) == 58_682_114


@pytest.mark.slow
def test_layers_and_mixing_of_the_report():
    model = make_small()
    assert [layer.name for layer in model.layers] == [
        *("image", "mixer", "input_norm", "backbone", "head_conv", "head_flatten"),
        *("head_dropout1", "head_dense1", "head_dropout2", "logits", "probabilities"),
    ]
    mixed = keras.Model(model.inputs[0], model.get_layer("mixer").output).predict(IMAGES, verbose=0)
    red, green, blue, yellow = np.moveaxis(IMAGES, -1, 0)
    np.testing.assert_allclose(mixed, np.stack([red / 2 + blue / 2, yellow / 2 + blue / 2, green], -1), atol=1e-6)


def test_stages_of_the_kernel():
    model = make_small(matrix="kernel")
    backbone = model.get_layer("backbone")
    assert not set(map(id, train_only(model, freeze="backbone").trainable_weights)) & set(map(id, backbone.weights))
    assert len(train_only(model).trainable_weights) > len(backbone.trainable_weights) > 0


@pytest.mark.slow
def test_trains_saves_and_loads(tmp_path):
    images = (IMAGES * 65535).astype("uint16")
    model = make_small(input_dtype="uint16", trainable_matrix=True)
    before = [keras.ops.convert_to_numpy(weight.value).copy() for weight in model.trainable_weights]
    model.compile(keras.optimizers.SGD(0.1), "binary_crossentropy")
    model.fit(images, np.eye(5, dtype="float32")[:2], verbose=0)
    moved = [
        not np.array_equal(keras.ops.convert_to_numpy(weight.value), old)
        for weight, old in zip(model.trainable_weights, before, strict=True)
    ]
    assert all(moved[:3])  # the mixer and the scale and shift behind it: the gradient went through the whole backbone
    check_loads_in_fresh_process(model, images, tmp_path)


def test_weights_of_the_backbone_from_a_file(tmp_path):
    original = make_small().get_layer("backbone")
    original.save_weights(tmp_path / "backbone.weights.h5")
    restored = make_small(weights=tmp_path / "backbone.weights.h5").get_layer("backbone")
    for old, new in zip(original.get_weights(), restored.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_missing_weights_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'`weights` must be "imagenet", None or .*missing\.weights\.h5'):
        make_small(weights=tmp_path / "missing.weights.h5")


def test_failed_download_says_which_file_and_where(monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise Exception(f"URL fetch failure on https://example.org/models/{WEIGHTS_OF_MOBILENET}: None -- unknown host")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.applications, "MobileNetV2", fail)
    wanted = rf"https://example.org/models/{WEIGHTS_OF_MOBILENET} as {tmp_path}/models/{WEIGHTS_OF_MOBILENET}"
    with pytest.raises(FileNotFoundError, match=rf"Keras wants {wanted}.*weights=None.*PATH.*unknown host"):
        make_small(weights="imagenet")


def test_damaged_file_in_the_cache_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.applications, "MobileNetV2", lambda **_: open_damaged(tmp_path / "models"))
    with pytest.raises(OSError, match=rf"Damaged there: .*{WEIGHTS_OF_MOBILENET}\. Delete it.*weights=None.*PATH"):
        make_small(weights="imagenet")


def open_damaged(folder):
    folder.mkdir()
    (folder / WEIGHTS_OF_MOBILENET).write_bytes(b"half a download")
    keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).load_weights(folder / WEIGHTS_OF_MOBILENET)


def make_tiny(height=32, width=32, channels=3):
    inputs = keras.Input((height, width, channels))
    x = inputs
    for stage in (1, 2, 3):
        x = keras.layers.Conv2D(4 * stage, 3, strides=2, padding="same", activation="relu", name=f"conv{stage}")(x)
    return keras.Model(inputs, x, name="tiny")


def check_scaling(name, adapter, images):
    """The head's input equals the mean of what the backbone makes of pixels scaled by Keras's own function."""
    model = PretrainedClassifier(
        name, (32, 32, 4), 5, weights=None, **ADAPTERS[adapter], inflate_method="zero", head="gap"
    )
    family = {"ResNet50": keras.applications.resnet50, "MobileNetV3Small": keras.applications.mobilenet_v3}[name]
    colours = images[..., :3] if adapter == "inflate" else model.get_layer("mixer")(images)
    scaled = family.preprocess_input(keras.ops.convert_to_numpy(colours) * 255)
    original = getattr(keras.applications, name)(include_top=False, input_shape=(32, 32, 3), weights=None)
    # The model's first convolution knows colours in another order; all other weights are the backbone's own.
    blue_first = name == "ResNet50"
    for layer, rebuilt in zip(original.layers, model.get_layer("backbone").layers, strict=True):
        weights = rebuilt.get_weights()
        if layer.get_weights() and (adapter == "inflate" or blue_first) and is_first(layer):
            kernel = weights[0][:, :, :3]
            weights[0] = kernel[:, :, ::-1] if blue_first else kernel
        known = len(layer.get_weights())  # what warms up counts its updates as well
        layer.set_weights([w[:3] if w.shape == (4,) else w for w in weights[:known]])
    features = keras.Model(model.inputs[0], model.get_layer("tap1").output)(images)
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(features),
        keras.ops.convert_to_numpy(original(scaled)).mean((1, 2)),
        rtol=1e-3,
        atol=1e-4,
    )


def is_first(layer):
    return isinstance(layer, keras.layers.Conv2D) and layer.kernel.shape[2] == 3


@pytest.mark.slow
@pytest.mark.parametrize("adapter", ["mixer", "inflate"])
@pytest.mark.parametrize("name", ["ResNet50", "MobileNetV3Small"])
def test_backbones_see_pixels_as_in_their_training(name, adapter):
    check_scaling(name, adapter, IMAGES[:, :32, :32])


@pytest.mark.parametrize("adapter", ["mixer", "inflate"])
@pytest.mark.parametrize(("head", "features"), [("report", 512), ("gap", 12), ("multi-level", 256)])
def test_heads_and_adapters_on_a_model_of_ones_own(adapter, head, features):
    model = PretrainedClassifier(make_tiny(), (32, 32, 4), 5, **ADAPTERS[adapter], head=head)
    assert model.get_layer("logits").kernel.shape == (features, 5)
    assert model.get_layer("backbone").input_shape[-1] == (4 if adapter == "inflate" else 3)
    assert ("mixer" in [layer.name for layer in model.layers]) == (adapter == "mixer")
    model.compile("sgd", "binary_crossentropy")
    model.train_on_batch(IMAGES[:, :32, :32], np.eye(5, dtype="float32")[:2])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "momenta"),
    [
        ({"head": "multi-level"}, {0.99}),
        ({"head": "gap", "adapter": "inflate"}, {0.99}),
        ({"head": "gap", "batch_norm_momentum": None}, {0.999}),
        ({}, {0.999}),
        ({"batch_norm_momentum": 0.5}, {0.5}),
    ],
)
def test_momentum_of_the_backbone(arguments, momenta):
    assert {norm.momentum for norm in norms_of(make_small(**arguments))} == momenta


def test_a_model_of_ones_own_keeps_its_momentum_unless_told():
    inputs = keras.Input((32, 32, 3))
    norm = keras.layers.BatchNormalization(momentum=0.7)
    own = keras.Model(inputs, norm(keras.layers.Conv2D(4, 3)(inputs)))
    PretrainedClassifier(own, (32, 32, 3), 5)
    assert norm.momentum == 0.7
    PretrainedClassifier(own, (32, 32, 3), 5, batch_norm_momentum=0.8)
    assert norm.momentum == 0.8
    warm = PretrainedClassifier(own, (32, 32, 3), 5, head="gap", batch_norm_momentum="warm-up").get_layer("backbone")
    assert [type(layer) for layer in warm.layers[2:]] == [WarmUpBatchNormalization]
    colours = IMAGES[:, :32, :32, :3]
    np.testing.assert_allclose(warm.predict(colours), own.predict(colours), rtol=1e-5)


@pytest.mark.slow
def test_validation_follows_a_short_training_of_a_backbone_with_its_own_batch_norm():
    brightness = np.linspace(0.2, 1, 32, dtype="float32")[:, None, None, None]
    images = np.random.default_rng(0).random((32, 16, 16, 3), "float32") * brightness
    labels = (np.arange(32) >= 16).astype("float32")[:, None]
    lags = {}
    for momentum in ("warm-up", 0.9, None):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((16, 16, 3))
        x = keras.layers.BatchNormalization(momentum=0.999)(keras.layers.Conv2D(4, 3)(inputs))
        backbone = keras.Model(inputs, keras.layers.ReLU()(x))
        model = PretrainedClassifier(backbone, (16, 16, 3), 1, head="gap", dropout=0, batch_norm_momentum=momentum)
        model.compile(keras.optimizers.Adam(0.01), "binary_crossentropy")
        history = model.fit(images, labels, validation_data=(images, labels), batch_size=4, epochs=6, verbose=0).history
        again = reestimate_batch_norm(model, [images[start::8] for start in range(8)])
        lags[momentum] = abs(history["val_loss"][-1] - again.evaluate(images, labels, verbose=0))
    assert max(lags["warm-up"], lags[0.9]) < 0.05 < lags[None], lags


def test_channels_first_is_refused_or_changes_nothing():
    try:
        keras.config.set_image_data_format("channels_first")
        with pytest.raises(
            ValueError, match=r"`backbone` must take its channels last.*'MobileNetV2' under 'channels_f"
        ):
            make_small()
        first = keras.Sequential([keras.Input((4, 32, 32)), keras.layers.Conv2D(4, 3, name="conv")])
        with pytest.raises(ValueError, match=r"`backbone` must take its channels last. Received: layer 'conv'"):
            PretrainedClassifier(first, (32, 32, 4), 5, head="gap")
        with pytest.raises(ValueError, match=r"`backbone` must take its channels last. Received: layer 'conv'"):
            multi_level_gap(first)
        model = PretrainedClassifier("GapNet-PL", (32, 32, 4), 5, weights=None, head="report")
    finally:
        keras.config.set_image_data_format("channels_last")
    plain = PretrainedClassifier("GapNet-PL", (32, 32, 4), 5, weights=None, head="report")
    plain.set_weights(model.get_weights())
    images = IMAGES[:, :32, :32]
    np.testing.assert_array_equal(model.predict(images, verbose=0), plain.predict(images, verbose=0))


def test_a_model_of_ones_own_is_not_copied_and_can_be_told_its_taps():
    tiny = make_tiny()
    model = PretrainedClassifier(tiny, (32, 32, 3), 5, head="multi-level", taps=["conv1", "conv2"])
    assert model.get_layer("backbone").get_layer("conv1") is tiny.get_layer("conv1")
    assert model.get_layer("backbone").output_shape == (None, 12)


@pytest.mark.slow
def test_unfreezing_keeps_batch_norm_frozen():
    model = make_small(head="gap")
    before = [layer.get_weights() for layer in norms_of(model)]
    train_only(model, batch_norm=False).compile("sgd", "binary_crossentropy", run_eagerly=True)
    model.train_on_batch(IMAGES, np.eye(5, dtype="float32")[:2])
    for layer, old in zip(norms_of(model), before, strict=True):
        for weight, old_weight in zip(layer.get_weights(), old, strict=True):
            np.testing.assert_array_equal(weight, old_weight)


def norms_of(model):
    layers = model.get_layer("backbone").layers
    return [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]


@pytest.mark.parametrize(("head", "features"), [("gap", 128), ("multi-level", 256), ("report", 512)])
def test_gapnet_pl_as_a_backbone(head, features, tmp_path):
    gapnet = GapNet((32, 32, 4), 13, variant="gapnet-pl")
    gapnet.save_weights(tmp_path / "gapnet_pl.weights.h5")
    weights = tmp_path / "gapnet_pl.weights.h5"
    model = PretrainedClassifier("GapNet-PL", (32, 32, 4), 5, weights=weights, head=head)
    assert model.get_layer("logits").kernel.shape == (features, 5)
    np.testing.assert_array_equal(
        model.get_layer("backbone").get_layer("block3_conv3").get_weights()[0],
        gapnet.get_layer("block3_conv3").get_weights()[0],
    )
    if head == "multi-level":
        taps = keras.Model(gapnet.inputs[0], gapnet.get_layer("taps").output)
        received, expected = (
            keras.ops.convert_to_numpy(part(IMAGES[:, :32, :32])) for part in (model.get_layer("backbone"), taps)
        )
        np.testing.assert_allclose(received, expected, atol=1e-5)


_REFUSED = {
    **{"backbone": "MobileNetV2", "input_shape": (96, 96, 4), "num_classes": 5, "weights": None},
    **REPORT,
}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_norm_momentum": "warm"}, '`batch_norm_momentum` must be "default"'),
        ({"batch_norm_momentum": 1.0}, "`batch_norm_momentum`"),
        ({"input_shape": 96}, "`input_shape` must be"),
        ({"num_classes": "5"}, "`num_classes`"),
        ({"backbone": "MobileNet9"}, r"a network of keras.applications: \['ConvNeXtBase'"),
        ({"backbone": "mobilenet_v2"}, "`backbone`"),
        ({"adapter": "crop"}, "`adapter` must be one of"),
        ({"head": "dense"}, "`head` must be one of"),
        ({"num_classes": 0}, "`num_classes`"),
        ({"input_shape": (96, 96, 3), "matrix": "report"}, "must have 4 channels"),
        ({"input_shape": (96, 96, 5), "matrix": None}, r"`matrix` must be given where 5 channels are mixed to 3"),
        ({"matrix": None}, r"`matrix` must be given where 4 channels are mixed to 3, of shape \(4, 3\)"),
        ({"adapter": "inflate", "matrix": "report"}, "`matrix` and `trainable_matrix` belong"),
        ({"taps": [8]}, "`taps` belong to"),
        ({"pooling": "sum"}, "`pooling` must be one of"),
        ({"backbone": "GapNet-PL", "weights": "imagenet"}, "checkpoint's path or None"),
        ({"backbone": keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])}, "must end in feature maps"),
        ({"matrix": "rgb"}, "`matrix`"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        PretrainedClassifier(**_REFUSED | arguments)
