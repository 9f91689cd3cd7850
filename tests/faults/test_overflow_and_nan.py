"""Numbers that overflow, NaN and masks: never a number that looks right."""

import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, ChannelGain, MacroF1, MultiChannelSequence, PackedSource
from keras_hpa.data.resizing import resize_image, to_type

_FLOATS = np.random.default_rng(0).uniform(0.1, 1, (2, 4, 4, 2)).astype("float32")
_ENDS = [(dtype, end) for dtype in ("uint8", "int16", "int32", "uint32", "int64", "uint64") for end in ("min", "max")]


@pytest.mark.parametrize(("dtype", "end"), _ENDS)
@pytest.mark.parametrize("interpolation", ["area", "bilinear", "bicubic", "nearest"])
def test_the_ends_of_a_type_stay_when_images_are_resized(dtype, end, interpolation):
    value = getattr(np.iinfo(dtype), end)
    for size in ((3, 5), (16, 11)):
        resized = resize_image(np.full((8, 8, 2), value, dtype), size, interpolation)
        assert resized.dtype == dtype
        assert (resized == value).all()


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int32", "uint32"])
def test_large_integers_are_resized_to_their_mean(dtype):
    top = int(np.iinfo(dtype).max)
    image = np.array([[0, top], [0, top]], dtype)[..., None]
    assert int(resize_image(image, (1, 1)).item()) == pytest.approx(top / 2, rel=1e-6)


@pytest.mark.parametrize(("dtype", "end"), _ENDS)
def test_gain_stays_within_the_type(dtype, end):
    value = getattr(np.iinfo(dtype), end)
    for seed in range(5):
        changed = ChannelGain(0.5, offset=0.1)(np.full((2, 2, 1), value, dtype), np.random.default_rng(seed))
        assert changed.dtype == dtype
        np.testing.assert_allclose(changed.astype(float), float(value), atol=0.65 * float(np.iinfo(dtype).max) + 1)


def test_gain_of_half_floats_stays_finite():
    image = np.full((2, 2, 3), 6e4, "float16")
    for seed in range(5):
        changed = ChannelGain(0.5)(image, np.random.default_rng(seed))
        assert changed.dtype == np.float16
        assert np.isfinite(changed).all()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_values_that_are_no_numbers_stay_what_they_are(dtype):
    values = np.array([np.nan, np.inf, -np.inf, 1e300, -1e300])
    limit = float(np.finfo(dtype).max)
    np.testing.assert_array_equal(to_type(values, np.dtype(dtype)), [np.nan, np.inf, -np.inf, limit, -limit])


@pytest.mark.parametrize("value", [np.nan, np.inf, -1])
@pytest.mark.parametrize("argument", ["gain", "offset"])
def test_gain_that_is_no_number_is_refused(argument, value):
    with pytest.raises(ValueError, match=f"`gain` and `offset` must be finite.*{argument}={value}"):
        ChannelGain(**{argument: value})


_AUGMENTATIONS = {
    "NaN": lambda image, rng: image * np.float32(np.nan),
    "one NaN": lambda image, rng: np.where(image == image.max(), np.nan, image).astype(image.dtype),
    "infinity": lambda image, rng: image + np.float32(np.inf),
    "complex": lambda image, rng: image * 1j,
    "overflow": lambda image, rng: image.astype("float64") * 1e300,
    "objects": lambda image, rng: image.astype(object),
    "masked": lambda image, rng: np.ma.masked_less(image, 1),
    "booleans": lambda image, rng: image > 0,
    "nothing": lambda image, rng: None,
}


@pytest.mark.parametrize("augment", _AUGMENTATIONS.values(), ids=_AUGMENTATIONS.keys())
@pytest.mark.parametrize("dtype", ["float32", "source"])
def test_an_augmentation_that_gives_no_numbers_is_refused(augment, dtype):
    sequence = MultiChannelSequence(ArraySource(_FLOATS, ["a", "b"]), augment=augment, dtype=dtype)
    with pytest.raises(ValueError, match=r"`augment` must .*Received: .* for sample '[ab]'"):
        sequence[0]


def test_an_augmentation_of_integers_keeps_them():
    source = ArraySource((_FLOATS * 255).astype("uint8"))
    for augment in (lambda image, rng: image * 0.5, lambda image, rng: image.astype("int64") + 300):
        with pytest.raises(ValueError, match="`augment` must keep the type uint8"):
            MultiChannelSequence(source, augment=augment, dtype="source")[0]


@pytest.mark.parametrize("value", [1e300, -1e39])
@pytest.mark.parametrize("options", [{}, {"max_value": 2.0}, {"image_size": 2}, {"augment": "dihedral"}])
def test_what_float32_cannot_hold_is_refused(value, options):
    sequence = MultiChannelSequence(ArraySource(np.full((1, 4, 4, 2), value), ["a"]), **options)
    with pytest.raises(ValueError, match=r"float32 must not fail\. Received: FloatingPointError.* for sample 'a'"):
        sequence[0]
    assert MultiChannelSequence(ArraySource(np.full((1, 4, 4, 2), value)), dtype="source")[0].max() == value


@pytest.mark.parametrize("dtype", ["int64", "uint64", "int32", "int16", "int8"])
def test_integers_whose_largest_value_is_no_scale_need_one(dtype, tmp_path):
    source = ArraySource(np.full((2, 4, 4, 2), 100, dtype))
    with pytest.raises(ValueError, match="`max_value` must say which number becomes 1"):
        MultiChannelSequence(source)[0]
    packed = PackedSource.build(source, tmp_path / "pack", image_size=2, verbose=0)
    np.testing.assert_allclose(MultiChannelSequence(packed, max_value=200)[0], 0.5)


@pytest.mark.parametrize("num_nan", [1, 6])
def test_nan_predictions_are_no_score_of_0(num_nan):
    scores = np.full(6, 0.7, "float32")
    scores[:num_nan] = np.nan
    metric = MacroF1()
    metric.update_state(np.ones((3, 2)), scores.reshape(3, 2))
    assert np.isnan(float(metric.result()))
    metric.reset_state()
    metric.update_state(np.ones((3, 2)), np.ones((3, 2)))
    assert float(metric.result()) == 1


def test_nan_in_fit_is_seen_in_the_logs():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="ones")])
    model.compile("sgd", "mse", metrics=[MacroF1(num_classes=2)])
    logs = model.evaluate(np.array([[np.nan, 1], [1, 1]]), np.ones((2, 2)), verbose=0, return_dict=True)
    assert np.isnan(logs["macro_f1"])
