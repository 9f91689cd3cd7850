import itertools

import keras
import numpy as np
import pytest

from keras_hpa import (
    ArraySource,
    GapNet,
    ImageStandardization,
    MultiChannelSequence,
    Samples,
    apply_symmetry,
    predict_scores,
    subset,
)
from keras_hpa.inference.tiling import tile_starts
from tests.inference.scored import IMAGES, SOURCE, floats, make_model, make_sequence, score


@pytest.mark.parametrize("reduce", ["mean", "median", "max"])
@pytest.mark.parametrize(("transforms", "symmetries"), [(None, [0]), ("dihedral", range(8)), ([0, 5], [0, 5])])
def test_equals_a_loop_over_models_and_symmetries(model, reduce, transforms, symmetries):
    models = [model, make_model(seed=1)]
    views = [
        one.predict(np.ascontiguousarray(apply_symmetry(floats(IMAGES), symmetry)), verbose=0)
        for one, symmetry in itertools.product(models, symmetries)
    ]
    scores = score(models, make_sequence(), transforms, reduce)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, getattr(np, reduce)(views, axis=0), atol=1e-6)


def test_own_transforms_are_called_on_batches(model):
    shapes = []

    def darker(images):
        shapes.append(images.shape)
        return images * np.float32(0.5)

    expected = (model.predict(floats(IMAGES), verbose=0) + model.predict(floats(IMAGES) / 2, verbose=0)) / 2
    np.testing.assert_allclose(score(model, make_sequence(), [0, darker]), expected, atol=1e-6)
    assert set(shapes) == {(3, 24, 24, 4)}, "the last batch is as long as the others"


def test_logits_are_averaged_as_they_are(model):
    logits = make_model(activation=None)
    logits.set_weights(model.get_weights())
    averaged = score(logits, make_sequence(), "dihedral")
    assert averaged.min() < 0
    of_probabilities = score(model, make_sequence(), "dihedral")
    assert np.abs(1 / (1 + np.exp(-averaged)) - of_probabilities).max() > 1e-5


@pytest.mark.parametrize("batch_size", [1, 2, 7, 32])
def test_batch_size_changes_nothing(model, batch_size):
    expected = score(model, make_sequence(), "dihedral", "median")
    scores = score(model, make_sequence(batch_size=batch_size), "dihedral", "median")
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_rows_follow_the_source_whatever_a_training_sequence_does(model):
    labels = np.zeros((7, 5))
    training = MultiChannelSequence(SOURCE, labels, batch_size=2, shuffle=True, batches_per_epoch=2, initial_epoch=3)
    np.testing.assert_allclose(score(model, training), score(model, make_sequence()), atol=1e-6)
    order = [4, 0, 6]
    chosen = score(model, make_sequence(subset(SOURCE, order)))
    np.testing.assert_allclose(chosen, score(model, make_sequence())[order], atol=1e-6)


def test_each_image_is_read_once(model):
    read = []

    class Counting(ArraySource):
        def read(self, index):
            read.append(index)
            return super().read(index)

    score([model, model], make_sequence(Counting(IMAGES)), "dihedral")
    assert read == list(range(7))


def test_bytes_reach_a_model_of_bytes():
    model = make_model(dtype="uint8")
    expected = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(score(model, make_sequence(dtype="source")), expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"uint8 images.*dtype='source'.*Received: float32"):
        score(model, make_sequence())


@pytest.mark.parametrize(
    ("options", "batches"),
    [
        ({}, {}),
        ({"dtype": "uint8"}, {"dtype": "source"}),
        ({"size": 16}, {"image_size": 16}),
        ({"size": None}, {}),
    ],
    ids=["floats", "bytes", "another size", "any size"],
)
def test_samples_are_read_as_the_model_takes_them(options, batches):
    model = make_model(**options)
    expected = score(model, make_sequence(**batches))
    np.testing.assert_allclose(score(model, SOURCE), expected, atol=1e-6)
    np.testing.assert_allclose(score(model, Samples(SOURCE)), expected, atol=1e-6)


def test_samples_for_tiles_keep_their_size(model):
    larger = ArraySource(np.tile(IMAGES, (1, 2, 2, 1)))
    np.testing.assert_allclose(
        score(model, larger, tile_overlap=0.5), score(model, make_sequence(larger), tile_overlap=0.5), atol=1e-6
    )


def test_bytes_are_kept_from_a_model_of_floats(model):
    message = r"floats that model .* takes: dtype='float32'.*Received: uint8"
    with pytest.raises(ValueError, match=message):
        score(model, make_sequence(dtype="source"))
    gapnet = GapNet((24, 24, 4), 28, filters=(4, 4, 4))
    with pytest.raises(ValueError, match=message):
        score([gapnet], make_sequence(dtype="source"))
    of_floats = ArraySource(floats(IMAGES))
    np.testing.assert_allclose(score(model, make_sequence(of_floats, dtype="source")), score(model, make_sequence()))


def _rescaled(*first):
    inputs = keras.Input((24, 24, 4))
    x = inputs
    for layer in first:
        x = layer(x)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x)))


@pytest.mark.parametrize(
    "first",
    [
        [keras.layers.Rescaling(1 / 255)],
        [keras.layers.RandomFlip(), keras.layers.Rescaling([1 / 255] * 4)],
        [keras.Sequential([keras.Input((24, 24, 4)), keras.layers.Rescaling(1 / 127.5, -1)])],
        [ImageStandardization()],
        [lambda images: images / 255],
    ],
    ids=["rescaling", "after a flip", "nested", "standardised", "arithmetic"],
)
def test_bytes_reach_a_model_of_floats_that_scales_them_itself(first):
    model = _rescaled(*first)
    expected = model.predict(IMAGES.astype("float32"), verbose=0)
    np.testing.assert_allclose(score(model, make_sequence(dtype="source")), expected, atol=1e-5)
    np.testing.assert_allclose(score(model, make_sequence(max_value=1)), expected, atol=1e-5)


@pytest.mark.parametrize("first", [[keras.layers.Rescaling(255.0)], [keras.layers.BatchNormalization()]])
def test_a_layer_that_wants_numbers_from_0_to_1_is_given_no_bytes(first):
    with pytest.raises(ValueError, match="must give the floats"):
        score(_rescaled(*first), make_sequence(dtype="source"))


def test_numpy_integers_are_integers(model):
    expected = score(model, make_sequence(), [0, 5])
    for transforms in ([np.int64(0), np.uint8(5)], np.array([0, 5])):
        np.testing.assert_array_equal(score(model, make_sequence(), transforms), expected)
    tiled = score(model, make_sequence(), tile_size=24, tile_overlap=0)
    for tile_size in (np.int32(24), np.array([24, 24]), [24, 24]):
        np.testing.assert_array_equal(score(model, make_sequence(), tile_size=tile_size, tile_overlap=0), tiled)


def test_gapnet_in_half_precision_gives_float32():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        gapnet = GapNet((24, 24, 4), 28, filters=(4, 4, 4))
    finally:
        keras.config.set_dtype_policy("float32")
    scores = score(gapnet, make_sequence(), "dihedral")
    assert (scores.dtype, scores.shape) == (np.float32, (7, 28))


# Tiles


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("tile", [1, 7, 16])
def test_tiles_cover_every_pixel_and_overlap(tile, overlap):
    for length in range(tile, 5 * tile + 3):
        starts = tile_starts(length, tile, overlap)
        covered = np.concatenate([np.arange(start, start + tile) for start in starts])
        assert set(covered) == set(range(length))
        assert (starts[0], starts[-1]) == (0, length - tile)
        # A step of one pixel is the smallest there is.
        assert max(np.diff(starts), default=0) <= max(1, tile - int(np.ceil(tile * overlap - 1e-6)))


@pytest.mark.parametrize("tile_reduce", ["mean", "max"])
@pytest.mark.parametrize("batch_size", [2, 5])
def test_tiles_equal_brute_force(tile_reduce, batch_size):
    images = np.random.default_rng(1).integers(0, 256, (3, 40, 31, 4), "uint8")
    model = make_model()
    expected = []
    for image in floats(images):
        # A quarter of 24 pixels is shared at least, so that steps are at most 18: 16 in one go along 40, 7 along 31.
        tiles = [image[top : top + 24, left : left + 24] for top in (0, 16) for left in (0, 7)]
        views = [
            model.predict(np.stack([apply_symmetry(tile, s) for tile in tiles]), verbose=0) for s in (0, 1, 2, 6, 7)
        ]
        expected.append(getattr(np, tile_reduce)(np.median(views, axis=0), axis=0))
    scores = score(
        model,
        make_sequence(ArraySource(images), batch_size=batch_size),
        [0, 1, 2, 6, 7],
        "median",
        tile_overlap=0.25,
        tile_reduce=tile_reduce,
    )
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_network_of_any_size_takes_tiles_of_a_given_size():
    model = make_model(size=None)
    tiles = np.concatenate([model.predict(floats(IMAGES)[:, top : top + 12], verbose=0)[None] for top in (0, 12)])
    scores = score(model, make_sequence(), tile_size=(12, 24), tile_overlap=0)
    np.testing.assert_allclose(scores, tiles.mean(axis=0), atol=1e-6)


def test_image_of_the_networks_size_is_one_tile(model):
    np.testing.assert_allclose(
        score(model, make_sequence(), tile_overlap=0.5), score(model, make_sequence()), atol=1e-6
    )


# Runs that stop


# What is refused


def test_what_is_no_model_or_sequence_is_refused(model):
    with pytest.raises(TypeError, match="Received: an empty list"):
        score([], make_sequence())
    with pytest.raises(TypeError, match="Received: Functional, str"):
        score([model, "model.keras"], make_sequence())
    with pytest.raises(TypeError, match=r"ArraySource.*Received: ndarray"):
        score(model, IMAGES)


@pytest.mark.parametrize("arguments", [{"augment": "dihedral"}, {"sampler": "with_replacement"}, {"shard": (0, 2)}])
def test_sequence_that_reads_other_images_is_refused(model, arguments):
    with pytest.raises(ValueError, match=rf"without `{next(iter(arguments))}`\. Received: "):
        score(model, make_sequence(**arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"reduce": "sum"}, "`reduce` must be one of .*Received: 'sum'"),
        ({"tile_reduce": "median"}, "`tile_reduce` must be one of .*Received: 'median'"),
        ({"transforms": "flips"}, "`transforms` must be None.*Received: 'flips'"),
        ({"transforms": []}, r"`transforms` must be None.*Received: \[\]"),
        ({"transforms": [0, 8]}, r"`transforms` must be None.*Received: \[0, 8\]"),
        ({"transforms": [True]}, r"`transforms` must be None.*Received: \[True\]"),
        ({"transforms": [lambda images: images[:1]]}, r"`transforms` must keep.*shape \(1, 24, 24, 4\)"),
        ({"transforms": [lambda images: images > 0]}, r"`transforms` must keep.*Received: bool"),
        ({"transforms": [lambda images: images[:, ::2]]}, r"\(24, 24\).*Received: \(12, 24\) under transform .*lambda"),
        ({"tile_overlap": 1}, "`tile_overlap` must be a fraction.*Received: 1"),
        ({"tile_overlap": -0.1}, "`tile_overlap` must be a fraction"),
        ({"tile_size": 24}, "`tile_overlap` be given.*Received: 24, tile_overlap=None"),
        ({"tile_size": (24, 0), "tile_overlap": 0}, r"`tile_size` must be.*Received: \(24, 0\)"),
        ({"tile_size": 32, "tile_overlap": 0}, r"as large as a tile, \(32, 32\). Received: \(24, 24\)"),
        ({"tile_size": 12, "tile_overlap": 0}, r"network's size \(24, 24\). Received: \(12, 12\)"),
        ({"verbose": 2}, "`verbose` must be 'auto', 0 or 1. Received: 2"),
    ],
)
def test_wrong_argument_is_named(model, arguments, message):
    with pytest.raises(ValueError, match=message):
        predict_scores(model, make_sequence(), **{"verbose": 0} | arguments)


def test_larger_images_are_not_cut_unasked(model):
    larger = ArraySource(np.zeros((2, 30, 30, 4), "uint8"))
    with pytest.raises(ValueError, match=r"`image_size`.*`tile_overlap`\. Received: \(30, 30\)"):
        score(model, make_sequence(larger))
    with pytest.raises(ValueError, match="`tile_size` must be given where the model takes images of any size"):
        score(make_model(size=None), make_sequence(larger), tile_overlap=0.5)


def test_models_that_do_not_fit_together_are_refused(model):
    with pytest.raises(ValueError, match="models of one input size"):
        score([model, make_model(size=32)], make_sequence())
    other = keras.Sequential([keras.Input((24, 24, 4)), keras.layers.Flatten(), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match=r"same classes. Received: \[3, 5\]"):
        score([model, other], make_sequence())


def test_output_of_another_form_is_refused():
    image = keras.Input((24, 24, 4))
    with pytest.raises(ValueError, match=r"Received: \(3, 24, 24, 4\) from 'whole'"):
        score(keras.Model(image, keras.layers.Activation("relu")(image), name="whole"), make_sequence())
    row = keras.layers.Flatten()(image)
    with pytest.raises(ValueError, match="Received: list from 'two'"):
        score(keras.Model(image, [row, keras.layers.Dense(2)(row)], name="two"), make_sequence())


def test_score_that_is_no_number_names_its_sample(tmp_path):
    layers = [keras.layers.Lambda(keras.ops.sqrt), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((24, 24, 4)), *layers])
    images = floats(IMAGES)
    images[4, 3, 3, 3] = -1
    source = ArraySource(images, ids=SOURCE.ids)
    with pytest.raises(ValueError, match="Received: nan for sample 'cell e', class 0"):
        score(model, make_sequence(source), path=tmp_path)
    assert np.isnan(np.load(tmp_path / "scores.npy")).all(axis=1).tolist() == [False] * 3 + [True] * 4


def test_images_of_other_channels_are_refused(model):
    green = ArraySource(IMAGES[..., :1])
    with pytest.raises(ValueError, match=r"the 4 channels that model '.*' takes\. Received: images with 1$"):
        score(model, green)
