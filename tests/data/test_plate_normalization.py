"""Plates of different brightness, and what their controls make of them."""

import json
import pickle

import numpy as np
import pytest

from keras_hpa import ArraySource, PlateNormalization, Samples

_CHANNELS = ("dapi", "gfp", "tubulin")
_GAIN = {"p1": 1.0, "p2": 3.0, "p3": 0.5}
_OFFSET = {"p1": 100, "p2": 400, "p3": 50}


@pytest.fixture
def samples():
    """Three plates of ten images each, of which every second is a control; treated wells are twice as bright."""
    rng = np.random.default_rng(0)
    images, plates, controls = [], [], []
    for plate, gain in _GAIN.items():
        for number in range(10):
            light = rng.gamma(2.0, 100.0, size=(24, 24, 3)) * [1, 2, 4] * (1 if number % 2 else 2)
            images.append(np.clip(light * gain + _OFFSET[plate], 0, 65535).astype("uint16"))
            plates.append(plate)
            controls.append(number % 2 == 1)
    source = ArraySource(np.stack(images), channels=_CHANNELS)
    labels = np.array(controls)[:, None].astype(int)
    return Samples(source, labels, groups=plates, metadata={"plate": plates, "control": controls}, pixel_sizes=0.65)


def _means(samples):
    images = np.stack([samples.read(index) for index in range(len(samples))])
    return np.array([images[place::10].mean(axis=(1, 2)) for place in (1, 2)])


def test_controls_come_to_one_scale_and_treated_wells_stay_brighter(samples):
    normalization = PlateNormalization().fit(samples, samples.metadata["control"])
    before, after = _means(samples), _means(normalization.apply(samples))
    assert before[0].max(axis=0)[0] / before[0].min(axis=0)[0] > 4
    np.testing.assert_allclose(after[0], after[0].mean(axis=0, keepdims=True).repeat(3, axis=0), rtol=0.15)
    assert 1.7 < (after[1] / after[0]).mean() < 2.3
    assert after[0].max() < 0.5


def test_oracle(samples):
    normalization = PlateNormalization(2, 98).fit(samples, samples.metadata["control"])
    images = samples.source.images
    for first, plate in enumerate(_GAIN):
        controls = images[10 * first + 1 : 10 * first + 10 : 2]
        expected = np.median([np.percentile(one, [2, 98], axis=(0, 1)) for one in controls], axis=0)
        np.testing.assert_allclose(normalization.levels_[plate], expected)
        dark, bright = expected
        read = normalization.apply(samples).read(10 * first)
        np.testing.assert_allclose(read, (images[10 * first] - dark) / (bright - dark), rtol=1e-4, atol=1e-4)
        assert read.dtype == np.float32


def test_dirt_in_one_control_moves_nothing(samples):
    clean = PlateNormalization().fit(samples, samples.metadata["control"])
    dirty = samples.source.images.copy()
    dirty[1] = 60000
    dirty = PlateNormalization().fit(
        Samples(ArraySource(dirty, channels=_CHANNELS), metadata=samples.metadata), samples.metadata["control"]
    )
    assert np.abs(dirty.levels_["p1"] / clean.levels_["p1"] - 1).max() < 0.1


def test_everything_else_stays(samples):
    normalization = PlateNormalization().fit(samples)
    normalised = normalization.apply(samples)
    assert normalised.ids == samples.ids
    assert normalised.groups == samples.groups
    assert normalised.pixel_size(3) == 0.65
    np.testing.assert_array_equal(normalised.labels, samples.labels)
    train, test = normalised.group_folds()[1]
    assert set(test.groups) == {"p2"}
    assert len(train) == 20
    part = pickle.loads(pickle.dumps(normalised.select_channels(["tubulin", "dapi"])))
    np.testing.assert_array_equal(part.read(5), normalised.read(5)[..., [2, 0]])
    green = normalization.apply(samples.select_channels(["gfp"]))
    np.testing.assert_array_equal(green.read(5)[..., 0], normalised.read(5)[..., 1])
    batch, _ = normalised.batches(batch_size=4, workers=0)[0]
    np.testing.assert_array_equal(batch[3], normalised.read(3))


def test_saved_beside_a_model(samples, tmp_path):
    normalization = PlateNormalization(2, 98).fit(samples, samples.metadata["control"])
    normalization.save(tmp_path / "normalization.json")
    loaded = PlateNormalization.load(tmp_path / "normalization.json")
    assert repr(loaded) == "PlateNormalization(2, 98, fitted on 3 plates)"
    np.testing.assert_array_equal(loaded.apply(samples).read(7), normalization.apply(samples).read(7))
    content = json.loads((tmp_path / "normalization.json").read_text())
    content["levels"]["p1"] = [[1.0]]
    (tmp_path / "normalization.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match="'levels'"):
        PlateNormalization.load(tmp_path / "normalization.json")


def test_a_single_plate_and_plates_by_hand(samples):
    assert list(PlateNormalization().fit(samples, plates=None).levels_) == [""]
    by_hand = PlateNormalization().fit(samples, [1, 11], plates=[1] * 10 + [2] * 20)
    assert list(by_hand.levels_) == ["1", "2"]


def test_a_dark_channel_stays_dark():
    images = np.random.default_rng(0).integers(1, 99, size=(2, 8, 8, 2), dtype="uint8")
    images[..., 1] = 0
    samples = Samples(ArraySource(images))
    read = PlateNormalization().fit(samples, plates=None).apply(samples, plates=None).read(0)
    assert not read[..., 1].any()
    assert read[..., 0].any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda samples: PlateNormalization(5, 5), "`low` and `high`.*5, 5"),
        (lambda samples: PlateNormalization(-1, 99), "`low` and `high`.*-1"),
        (lambda samples: PlateNormalization().apply(samples), "`fit` must be called"),
        (lambda samples: PlateNormalization().fit(samples, [0, 1]), r"every plate.*\['p2', 'p3'\]"),
        (lambda samples: PlateNormalization().fit(samples, plates="day"), r"`plates`.*'day'.*\['plate', 'control'\]"),
        (lambda samples: PlateNormalization().fit(samples, plates=[1]), "`plates` must be one per sample, 30.*1"),
        (
            lambda samples: PlateNormalization().fit(samples[:10]).apply(samples),
            r"new plate.*\['p2', 'p3'\]",
        ),
        (
            lambda samples: PlateNormalization().fit(samples.select_channels(["gfp"])).apply(samples),
            r"channels \('gfp',\)",
        ),
        (
            lambda samples: PlateNormalization().fit(Samples(ArraySource(np.full((2, 4, 4, 1), 7))), plates=None),
            r"contrast.*\['channel1'\]",
        ),
    ],
)
def test_what_cannot_be_is_refused(samples, call, message):
    with pytest.raises(ValueError, match=message):
        call(samples)
