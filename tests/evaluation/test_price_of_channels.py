import keras
import numpy as np
import pytest

from keras_hpa import ArraySource, Samples
from keras_hpa.evaluation import compare, price_of_channels
from keras_hpa.thresholds import cross_fit_predict

CHANNELS = ("dapi", "gfp", "er")


def make_samples(num=240, groups=None):
    """Class "bright" is what gfp shows, class "both" what gfp and er do; dapi says nothing."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (num, 8, 8, 3), "uint8")
    gfp, er = rng.uniform(size=(2, num)) < 0.4
    images[gfp, ..., 1] += 120
    images[er, ..., 2] += 120
    labels = np.stack([gfp, gfp & er], axis=1).astype(int)
    source = ArraySource(images, channels=CHANNELS)
    return Samples(source, labels, class_names=["bright", "both"], groups=groups)


def make_model():
    """Scores by hand: the mean of gfp, and of gfp and er."""
    inputs = keras.Input((8, 8, 3))
    mean = keras.layers.GlobalAveragePooling2D()(inputs)
    dense = keras.layers.Dense(2, activation="sigmoid")
    outputs = dense(mean)
    dense.set_weights([np.array([[0, 0], [9, 6], [0, 6]], "float32"), np.array([-3, -5], "float32")])
    return keras.Model(inputs, outputs)


@pytest.fixture(scope="module")
def prices():
    return price_of_channels(make_model(), make_samples(), verbose=0)


def test_every_set_of_channels_is_there(prices):
    assert set(prices.comparisons) == {
        ("dapi", "gfp"),
        ("dapi", "er"),
        ("gfp", "er"),
        ("dapi",),
        ("gfp",),
        ("er",),
    }


def test_a_channel_that_the_model_does_not_look_at_costs_nothing(prices):
    macro = prices["gfp", "er"].macro
    assert (macro.difference, macro.low, macro.high) == (0, 0, 0)
    assert prices["gfp", "er"].verdict == "cannot tell"


def test_a_channel_costs_the_classes_that_need_it(prices):
    without_er = prices["dapi", "gfp"].per_class
    assert without_er["bright"].difference == 0
    assert without_er["both"].difference < -0.2
    assert without_er["both"].high < 0
    assert prices["dapi", "er"].verdict == "worse"
    assert prices.sentence().startswith("Without gfp macro F1 falls by")


def test_equals_scores_of_images_whose_channel_is_dark(prices):
    samples, model = make_samples(), make_model()
    images = np.stack([samples.read(index) for index in range(len(samples))]).astype("float32") / 255
    dark = images * np.array([1, 1, 0], "float32")
    answers = [cross_fit_predict("auto", model.predict(one, verbose=0), samples.labels) for one in (images, dark)]
    expected = compare(*answers, samples.labels)
    assert prices["dapi", "gfp"].macro.difference == pytest.approx(expected.macro.difference, abs=1e-6)
    assert prices["dapi", "gfp"].macro.low == pytest.approx(expected.macro.low, abs=1e-6)


def test_ranks_need_no_thresholds_and_groups_widen_intervals():
    groups = np.repeat(np.arange(24), 10).tolist()
    one, other = (
        price_of_channels(
            make_model(),
            make_samples(groups=of_samples),
            metric="macro_average_precision",
            subsets=[["gfp"]],
            transforms="dihedral",
            verbose=0,
        )["gfp"]
        for of_samples in (None, groups)
    )
    assert one.macro.difference == other.macro.difference
    assert (one.unit, other.unit) == ("rows", "groups")


def test_table_and_figure(prices):
    frame = prices.to_frame()
    assert len(frame) == 6 * 3
    row = frame[(frame["missing"] == "er") & (frame["class"] == "both")].iloc[0]
    assert row["f1"] == pytest.approx(row["all_channels"] + row["difference"])
    figure = prices.plot()
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[0] in ("gfp + er", "dapi + gfp + er")
    assert "dapi + gfp" in str(prices)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"subsets": [["golgi"]]}, ValueError, r"\['dapi', 'gfp', 'er'\]"),
        ({"subsets": [CHANNELS]}, ValueError, "lacks a channel"),
        ({"metric": "accuracy"}, ValueError, "`metric` must be one of"),
        ({"transforms": "mirror"}, ValueError, "`transforms` must be"),
        ({"samples": np.zeros((3, 8, 8, 3))}, TypeError, "`samples` must be `Samples`"),
        ({"samples": Samples(ArraySource(np.zeros((3, 8, 8, 3), "uint8")))}, ValueError, "must have labels"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    given = {"samples": make_samples(40), "verbose": 0} | arguments
    with pytest.raises(error, match=message):
        price_of_channels(make_model(), **given)
