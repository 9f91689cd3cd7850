import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import roc_auc_score

from keras_hpa import GapNet, atlas, load_kaggle
from keras_hpa.gapnet_pl import GAPNET_PL_CLASS_NAMES, GapNetPLPreprocessing, convert_gapnet_pl, to_gapnet_pl_classes

FILTERS = ((4, 32), (32, 64), (64, 64), (64, 64), (64, 64), (64, 128), (128, 128), (128, 128))
CONVOLUTIONS = ("1_conv1", "2_conv1", "2_conv2", "2_conv3", "2_conv4", "3_conv1", "3_conv2", "3_conv3")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint in the published form, of random numbers."""
    rng = np.random.default_rng(0)
    tensors = {"TeLL/tell_global_step": np.int64(7)}
    for number, (before, after) in enumerate(FILTERS, start=1):
        tensors[f"ConvLayer-{number}/W_conv"] = rng.normal(0, (9 * before) ** -0.5, (3, 3, before, after))
        tensors[f"ConvLayer-{number}/b_conv"] = rng.normal(size=after)
    for number, (before, after) in enumerate(((224, 256), (256, 256), (256, 13)), start=1):
        tensors[f"FC-{number}/W_dense"] = rng.normal(0, before**-0.5, (before, after))
        tensors[f"FC-{number}/b_dense"] = rng.normal(size=after)
    prefix = tmp_path_factory.mktemp("checkpoint") / "gapnet-pl.ckpt"
    write_checkpoint(prefix, tensors)
    return prefix


def write_checkpoint(prefix, tensors):
    values = [value if name.endswith("step") else value.astype("float32") for name, value in tensors.items()]
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=list(tensors), shape_and_slices=[""] * len(tensors), tensors=values
    )


def forward(tensors, images):
    """GapNet-PL in NumPy: every layer's output by the layer's name, for images in red, green, blue, yellow."""
    x = images[..., [2, 1, 0, 3]].astype("float64")
    x = (x - x.mean((1, 2), keepdims=True)) / x.std((1, 2), keepdims=True)
    outputs = {"preprocessing": x}
    for number, name in enumerate(CONVOLUTIONS, start=1):
        x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
        strides = 2 if number <= 2 else 1
        windows = windows[:, ::strides, ::strides]
        kernel = tensors[f"ConvLayer-{number}/W_conv"].astype("float64")
        x = selu(np.einsum("nhwcij,ijco->nhwo", windows, kernel, optimize=True) + tensors[f"ConvLayer-{number}/b_conv"])
        outputs[f"block{name.replace('conv', 'activation')}"] = x
        if number in (1, 5):
            height, width = x.shape[1] // 2, x.shape[2] // 2
            x = x.reshape(len(x), height, 2, width, 2, -1).max((2, 4))
            outputs[f"block{name[0]}_pool"] = x
    x = np.concatenate([outputs[key].mean((1, 2)) for key in ("block1_pool", "block2_pool", "block3_activation3")], 1)
    outputs["taps"] = x
    for number in (1, 2, 3):
        x = x @ tensors[f"FC-{number}/W_dense"] + tensors[f"FC-{number}/b_dense"]
        x = selu(x) if number < 3 else x
        outputs["logits" if number == 3 else f"head_dense{number}"] = x
    outputs["probabilities"] = 1 / (1 + np.exp(-x))
    return outputs


def selu(x):
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))


def read(checkpoint):
    reader = tf.train.load_checkpoint(str(checkpoint))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def check_every_layer(checkpoint, images):
    model = GapNet((*images.shape[1:3], 4), 13, variant="gapnet-pl", weights=checkpoint)
    expected = forward(read(checkpoint), images)
    outputs = {name: model.get_layer(name).output for name in expected}
    received = keras.Model(model.inputs[0], outputs).predict(images, verbose=0)
    for name, output in received.items():
        # Single precision: bright spots reach 30 deviations, and deep layers add up hundreds of products.
        atol = 1e-4 * np.abs(expected[name]).max()
        np.testing.assert_allclose(output, expected[name], rtol=1e-4, atol=atol, err_msg=name)
    np.testing.assert_allclose(received["probabilities"], expected["probabilities"], atol=1e-4, rtol=0)


def test_parameters():
    model = GapNet((512, 512, 4), 13, variant="gapnet-pl")
    assert model.count_params() == 626_221
    assert model.get_layer("taps").output.shape == (None, 224)
    dropouts = [layer for layer in model.layers if "dropout" in layer.name]
    assert {(type(layer).__name__, layer.rate) for layer in dropouts} == {("AlphaDropout", 0.3)}


def test_every_layer_equals_an_independent_forward_pass(checkpoint):
    check_every_layer(checkpoint, np.random.default_rng(1).random((2, 32, 48, 4)).astype("float32"))


@pytest.mark.real_data
def test_published_weights_equal_an_independent_forward_pass_on_real_images(real_data):
    samples = load_kaggle(real_data / "atlas_sample")
    images = np.stack([samples.read(index)[::2, ::2] / 255 for index in (0, 30)]).astype("float32")
    check_every_layer(real_data / "gapnet_pl" / "gapnet-pl.ckpt", images)


@pytest.mark.slow
@pytest.mark.real_data
def test_published_weights_know_real_cells(real_data):
    samples = load_kaggle(real_data / "atlas_sample")
    model = GapNet(
        (512, 512, 4),
        13,
        variant="gapnet-pl",
        weights=real_data / "gapnet_pl" / "gapnet-pl.ckpt",
        preprocessing=GapNetPLPreprocessing(scale=2),
    )
    scores = model.predict(samples.batches(batch_size=4), verbose=0)
    truth = to_gapnet_pl_classes(samples.labels)
    classes = truth.sum(0) >= 2
    assert roc_auc_score(truth[:, classes], scores[:, classes], average="macro") >= 0.9


def test_converted_weights_are_the_same(checkpoint, tmp_path):
    convert_gapnet_pl(checkpoint.with_suffix(".ckpt.index"), tmp_path / "gapnet_pl.weights.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["gapnet_pl.weights.h5"]
    models = [
        GapNet((32, 32, 4), 13, variant="gapnet-pl", weights=path)
        for path in (checkpoint, tmp_path / "gapnet_pl.weights.h5")
    ]
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_new_classes_on_old_weights(checkpoint):
    model = GapNet((32, 32, 4), 5, variant="gapnet-pl", weights=checkpoint, weights_num_classes=13)
    tensors = read(checkpoint)
    assert model.output_shape == (None, 5)
    np.testing.assert_array_equal(model.get_layer("head_dense2").get_weights()[0], tensors["FC-2/W_dense"])
    with pytest.raises(ValueError, match=r"layer 'logits'.*weights_num_classes.*Received: .*13"):
        GapNet((32, 32, 4), 5, variant="gapnet-pl", weights=checkpoint)


def test_wrong_checkpoint_is_named(checkpoint, tmp_path):
    with pytest.raises(ValueError, match=r"GapNet-PL's checkpoint.*holds besides \['ConvLayer-8/W_conv'"):
        GapNet((32, 32, 4), 13, variant="gapnet-pl", weights=checkpoint, depths=(1, 4, 2))
    with pytest.raises(FileNotFoundError, match="prefix of GapNet-PL's checkpoint"):
        GapNet((32, 32, 4), 13, variant="gapnet-pl", weights=tmp_path / "none.ckpt")
    (tmp_path / "cut.ckpt.index").write_bytes(checkpoint.with_suffix(".ckpt.index").read_bytes()[:100])
    with pytest.raises(OSError, match=r"damaged checkpoint.*cut\.ckpt"):
        GapNet((32, 32, 4), 13, variant="gapnet-pl", weights=tmp_path / "cut.ckpt")
    with pytest.raises(ValueError, match=r"must end in \.weights\.h5"):
        convert_gapnet_pl(checkpoint, tmp_path / "gapnet.h5")


def test_the_thirteen_classes():
    names = np.array(GAPNET_PL_CLASS_NAMES)
    merged = to_gapnet_pl_classes(np.eye(28))
    np.testing.assert_array_equal(merged.sum(1), np.ones(28))
    pairs = {atlas.CLASS_NAMES[row]: names[column] for row, column in zip(*np.nonzero(merged), strict=True)}
    assert pairs["Nuclear bodies"] == "Nucleus"
    assert pairs["Lipid droplets"] == "Vesicles"
    assert pairs["Mitotic spindle"] == "Microtubules"
    unknown = np.zeros((2, 28))
    unknown[:, 0] = -1  # Nucleoplasm
    unknown[1, 4] = 1  # Nuclear speckles, Nucleus too
    assert to_gapnet_pl_classes(unknown)[:, names == "Nucleus"].tolist() == [[-1], [1]]
    with pytest.raises(ValueError, match=r"`matrix` must have shape \(num_samples, 28\)"):
        to_gapnet_pl_classes(np.zeros((2, 13)))
