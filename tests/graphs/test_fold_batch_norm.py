import keras
import numpy as np
import pytest

from keras_hpa import FoldedModel, PretrainedClassifier, fold_batch_norm, multi_level_gap
from tests.graphs.folding import _RNG, chain, check_same, conv, count, images_of, leaves, norm, randomize, small_gapnet


def test_the_report_keeps_only_what_max_pooling_holds_back():
    model = randomize(small_gapnet())
    folded = fold_batch_norm(model)
    assert isinstance(folded, FoldedModel)
    assert len(folded.folded) == 9
    assert set(folded.kept) == {"block1_norm2", "block2_norm4"}
    assert "negative scale before the max pooling 'block1_pool'" in folded.kept["block1_norm2"]
    assert count(folded.model) == 2
    check_same(model, folded)
    assert repr(folded).splitlines()[0] == "FoldedModel of 'gapnet': 9 of 11 BatchNormalization layers folded"


def test_the_report_folds_altogether_with_positive_scales():
    model = randomize(small_gapnet(), negative=False)
    folded = fold_batch_norm(model)
    assert (len(folded.folded), folded.kept, count(folded.model)) == (11, {}, 0)
    check_same(model, folded)
    assert [layer.name for layer in folded.model.layers] == [
        layer.name for layer in model.layers if layer.name not in folded.folded
    ]


@pytest.mark.parametrize("negative", [False, True])
def test_padded_variant_keeps_what_stands_before_padding(negative):
    model = randomize(small_gapnet(variant="light"), negative)
    folded = fold_batch_norm(model)
    assert folded.kept["block2_norm1"] == "feeds the zero-padded 'block2_conv1'"
    assert {"head_norm1", "head_norm2"} <= set(folded.folded)
    assert ("block1_norm2" in folded.folded) is not negative
    check_same(model, folded)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"pooling": "avg+max"},
        {"variant": "gapnet-pl", "normalization": "batch"},
        {"input_dtype": "uint8", "texture": [1]},
    ],
)
def test_other_gapnets(options):
    model = randomize(small_gapnet(**options))
    folded = fold_batch_norm(model)
    assert len(folded.folded) + len(folded.kept) == count(model)
    check_same(model, folded)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["report", "gap", "multi-level"])
def test_a_network_within_the_model(head):
    model = PretrainedClassifier(
        "MobileNetV2",
        (64, 64, 4),
        3,
        weights=None,
        head=head,
        adapter="mixer",
        matrix=np.eye(4)[:, :3],
        classifier_activation=None,
    )
    model = randomize(model)
    folded = fold_batch_norm(model)
    inner = [name for name in folded.folded if name.startswith("backbone/")]
    assert len(inner) == 52
    assert not [name for name in folded.kept if name.startswith("backbone/")]
    if head == "report":
        assert folded.kept == {"input_norm": "feeds 'backbone' (Functional)"}
    check_same(model, folded)


def test_squeeze_and_excite():
    x = inputs = keras.Input((20, 20, 3))
    for number in (1, 2):
        x = keras.layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU(name=f"maps{number}")(norm(f"norm{number}")(x))
    model = multi_level_gap(keras.Model(inputs, x), ["maps1", "maps2"], squeeze_excite=2)
    model = randomize(model)
    folded = fold_batch_norm(model)
    assert (count(folded.model), len(folded.folded)) == (0, 2)
    check_same(model, folded)


@pytest.mark.parametrize(
    "layers",
    [
        [norm(), conv()],
        [norm(), conv(strides=2, use_bias=False, activation="relu")],
        [norm(), conv(6, groups=2)],
        [norm(), conv(size=1, padding="same")],
        [norm(), keras.layers.Conv2D(5, 3, dilation_rate=2)],
        [norm(), keras.layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)],
        [norm(), keras.layers.SeparableConv2D(5, 3, depth_multiplier=2)],
        [norm(), keras.layers.Dropout(0.5), keras.layers.Flatten(), keras.layers.Dense(3)],
        [norm(), keras.layers.AveragePooling2D(2), conv()],
        [norm("a"), norm("b", scale=False), keras.layers.Cropping2D(1), norm("c", center=False), conv()],
        [conv(padding="same"), norm(), keras.layers.ReLU()],
        [conv(6, groups=2, use_bias=False), norm(), norm("again"), keras.layers.ReLU()],
        [keras.layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), norm(), keras.layers.ReLU()],
        [keras.layers.SeparableConv2D(5, 3, padding="same", use_bias=False), norm(), keras.layers.ReLU()],
        [keras.layers.Conv2DTranspose(5, 3, strides=2, padding="same"), norm(), keras.layers.ReLU()],
        [norm("a"), conv(use_bias=False), norm("b"), keras.layers.ReLU(), norm("c"), keras.layers.Dense(2)],
    ],
    ids=lambda layers: "-".join(layer.name for layer in layers),
)
def test_folds_altogether(layers):
    model = chain(*layers)
    folded = fold_batch_norm(model)
    assert folded.kept == {}
    assert count(folded.model) == 0
    check_same(model, folded)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([norm(), conv(padding="same")], "feeds the zero-padded 'conv'"),
        ([norm(), keras.layers.DepthwiseConv2D(3, padding="same", name="depth")], "feeds the zero-padded 'depth'"),
        ([norm(), keras.layers.ZeroPadding2D(1, name="pad"), conv()], r"feeds 'pad' \(ZeroPadding2D\)"),
        ([norm(), keras.layers.ReLU(name="relu"), conv()], r"feeds 'relu' \(ReLU\)"),
        ([norm(), keras.layers.Conv2DTranspose(5, 3, name="up")], r"feeds 'up' \(Conv2DTranspose\)"),
        ([norm(), keras.layers.AveragePooling2D(2, padding="same", name="mean"), conv()], "feeds 'mean'"),
        ([conv(activation="relu"), norm()], "is an output of the model"),
        ([norm(axis=1), conv()], "has its channels on axis 1, not the last"),
        ([keras.layers.BatchNormalization(axis=2, name="norm"), conv()], "axis 2"),
    ],
)
def test_keeps_with_a_reason(layers, reason):
    model = chain(*layers)
    folded = fold_batch_norm(model)
    assert folded.folded == ()
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(folded.kept["norm"])
    check_same(model, folded)


def test_max_pooling_lets_channels_pass_one_by_one():
    model = chain(norm(), keras.layers.MaxPooling2D(2, padding="same", name="pool"), conv())
    layer = model.get_layer("norm")
    gamma, *others = layer.get_weights()
    gamma = np.abs(gamma)
    gamma[1] *= -1
    gamma[2] = 0
    layer.set_weights([gamma, *others])
    folded = fold_batch_norm(model)
    assert folded.kept == {"norm": "1 of 4 channels have a negative scale before the max pooling 'pool'"}
    rest = folded.model.get_layer("norm").get_weights()
    np.testing.assert_array_equal(rest[0][[0, 2, 3]], 1)
    np.testing.assert_array_equal(rest[1][[0, 2, 3]], 0)
    assert rest[0][1] < 0
    check_same(model, folded)


def test_values_that_something_else_uses_stay():
    inputs = keras.Input((9, 9, 4))
    shared = norm("shared")(inputs)
    used = norm("used")(inputs)
    first = keras.layers.Conv2D(4, 3, name="first")(used)
    tapped = norm("tapped")(first)
    beside = keras.layers.Conv2D(4, 3, name="beside")(shared)
    joined = keras.layers.Concatenate()([tapped, keras.layers.ReLU()(first), norm("last")(beside)])
    outputs = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(joined))
    model = randomize(keras.Model(inputs, [outputs, shared]))
    folded = fold_batch_norm(model)
    assert folded.kept == {"shared": "is an output of the model"}
    # `first` has another reader, so `tapped` moved on into the dense layer.
    assert set(folded.folded) == {"used", "tapped", "last"}
    images = _RNG.uniform(0, 1, (2, 9, 9, 4)).astype("float32")
    for expected, found in zip(model(images), folded.model(images), strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(found), keras.ops.convert_to_numpy(expected), rtol=1e-4, atol=1e-4
        )


def test_layers_that_are_used_twice_stay_as_they_are():
    inputs = keras.Input((9, 9, 4))
    twice, convolution = norm("twice"), keras.layers.Conv2D(4, 3, name="convolution")
    x = norm("before")(twice(twice(inputs)))
    outputs = keras.layers.Add()([convolution(x), convolution(keras.layers.ReLU()(inputs))])
    model = randomize(keras.Model(inputs, outputs))
    folded = fold_batch_norm(model)
    assert folded.kept == {
        "twice": "is used 2 times",
        "before": "feeds 'convolution', which is used 2 times",
    }
    check_same(model, folded)


def test_a_batch_norm_that_trains_for_ever_stays():
    inputs = keras.Input((9, 9, 4))
    outputs = keras.layers.Conv2D(4, 3)(norm()(inputs, training=True))
    assert fold_batch_norm(keras.Model(inputs, outputs)).kept == {"norm": "normalises by the batch, also at inference"}


@keras.saving.register_keras_serializable("tests")
class Debiased(keras.layers.BatchNormalization):
    """Has a weight more than its parent, and at inference does what its parent does."""

    batch_norm_at_inference = True

    def build(self, input_shape):
        super().build(input_shape)
        self.updates = self.add_weight(shape=(), trainable=False, initializer="zeros", name="updates")


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        return 2 * super().call(inputs, training=training, mask=mask)


def test_a_subclass_that_declares_itself_is_folded():
    model = keras.Sequential([keras.Input((9, 9, 4)), Debiased(name="norm"), conv()])
    layer = model.get_layer("norm")
    layer.set_weights([*_RNG.uniform(0.5, 2, (4, 4)), np.array(7.0)])
    folded = fold_batch_norm(model)
    assert (folded.folded, folded.kept, [one.name for one in folded.model.layers][1:]) == (("norm",), {}, ["conv"])
    check_same(model, folded)


def test_what_is_left_of_a_subclass_before_max_pooling_is_a_plain_one():
    model = keras.Sequential([keras.Input((9, 9, 4)), Debiased(name="norm"), keras.layers.MaxPooling2D(), conv()])
    gamma, *others = _RNG.uniform(0.5, 2, (4, 4))
    model.get_layer("norm").set_weights([gamma * [1, -1, 1, 1], *others, np.array(7.0)])
    folded = fold_batch_norm(model)
    assert "1 of 4 channels" in folded.kept["norm"]
    assert type(folded.model.get_layer("norm")) is keras.layers.BatchNormalization
    check_same(model, folded)


def test_another_subclass_is_kept():
    model = keras.Sequential([keras.Input((9, 9, 4)), Doubled(name="norm"), conv()])
    folded = fold_batch_norm(model)
    assert folded.kept == {"norm": "is of another class, Doubled"}
    check_same(model, folded)


def test_a_network_without_batch_norm_is_copied():
    model = keras.Sequential([keras.Input((9, 9, 4)), conv(), keras.layers.GroupNormalization(5)], name="group")
    folded = fold_batch_norm(model)
    assert (folded.folded, folded.kept) == ((), {})
    assert repr(folded) == "FoldedModel of 'group': no BatchNormalization to fold"
    assert folded.model is not model
    check_same(model, folded)


def test_a_nested_model_that_trains_for_ever_keeps_its_weights():
    inner = keras.Sequential([keras.Input((9, 9, 4)), norm("inner"), conv()], name="nested")
    inputs = keras.Input((9, 9, 4))
    model = keras.Model(inputs, inner(inputs, training=True))
    assert fold_batch_norm(model).folded == ()
    images = images_of(model, 3)
    expected, found = (keras.ops.convert_to_numpy(one(images)) for one in (model, fold_batch_norm(model).model))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_parts_of_a_nested_model_stay_frozen():
    inner = keras.Sequential([keras.Input((9, 9, 4)), conv(name="frozen"), conv(name="free")], name="nested")
    inner.get_layer("frozen").trainable = False
    inputs = keras.Input((9, 9, 4))
    folded = fold_batch_norm(keras.Model(inputs, inner(inputs))).model
    assert [layer.trainable for layer in leaves(folded.get_layer("nested"))][1:] == [False, True]


def test_folded_model_is_saved_and_computes_in_the_original_dtype(tmp_path):
    model = randomize(small_gapnet(dropout=0.1))
    folded = fold_batch_norm(model).model
    folded.save(tmp_path / "folded.keras")
    images = _RNG.uniform(0, 1, (2, 76, 76, 4)).astype("float32")
    loaded = keras.saving.load_model(tmp_path / "folded.keras")
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), folded.predict(images, verbose=0))
    model.layers[1].trainable = False
    assert all(new.trainable == model.get_layer(new.name).trainable for new in fold_batch_norm(model).model.layers)


def test_mixed_precision_stays_mixed():
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = randomize(small_gapnet(), negative=False)
    finally:
        keras.config.set_dtype_policy(policy)
    folded = fold_batch_norm(model)
    assert folded.model.get_layer("block2_conv1").dtype_policy.name == "mixed_float16"
    check_same(model, folded, atol=2e-2)


def test_the_original_can_still_be_taken_apart():
    model = small_gapnet()
    fold_batch_norm(model)
    assert model.get_layer("tap1").output.shape == (None, 4)


def test_a_model_without_a_graph_is_refused():
    with pytest.raises(TypeError, match=r"`model` must be a functional or sequential model\. Received: <Dense"):
        fold_batch_norm(keras.layers.Dense(2))
