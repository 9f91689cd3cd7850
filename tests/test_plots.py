import sys
from types import SimpleNamespace

import numpy as np
import pytest

from keras_hpa import ThresholdCalibrator, atlas, plots

_HISTORY = {
    "loss": [0.5, 0.4, 0.3],
    "val_loss": [0.6, 0.5, 0.55],
    "macro_f1": [0.1, 0.2, 0.3],
    "val_macro_f1": [0.1, 0.15, 0.2],
    "accuracy": [0.8, 0.9, 0.95],
    "learning_rate": [1.0, 1.0, 0.5],
}


def test_learning_curves_show_training_and_validation():
    figure = plots.plot_learning_curves(_HISTORY)
    loss, macro_f1, accuracy = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["Loss", "Macro-F1", "Accuracy"]
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), _HISTORY["loss"])
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), _HISTORY["val_loss"])
    assert [text.get_text() for text in accuracy.get_legend().get_texts()] == ["training"]
    assert macro_f1.lines[2].get_xdata()[0] == 2.5, "the learning rate fell after the second epoch"


def test_learning_curves_refuse_a_name_that_was_not_logged():
    with pytest.raises(ValueError, match=r"loss, val_loss.*Received: 'auc'"):
        plots.plot_learning_curves(_HISTORY, metrics=("loss", "auc"))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_channels_are_drawn_in_their_colours(dtype):
    full = np.iinfo(dtype).max if dtype != "float32" else 1
    image = np.zeros((8, 8, 4), dtype)
    image[:4, :, 3] = full // 2 if dtype != "float32" else 0.5
    figure = plots.plot_channels(image, atlas.CHANNELS, title="sample")
    yellow, merge = figure.axes[3], figure.axes[4]
    assert yellow.get_title() == "yellow: endoplasmic reticulum\n(× 2.0)"
    np.testing.assert_allclose(yellow.images[0].get_array()[0, 0], (1, 1, 0))
    np.testing.assert_allclose(merge.images[0].get_array()[[0, 7], 0], [(1, 1, 0), (0, 0, 0)])


def _titles_and_colours(num_channels, channels):
    panels = plots.plot_channels(np.ones((4, 4, num_channels)), channels).axes[:-1]
    titles = [axes.get_title().splitlines()[0] for axes in panels]
    return titles, [tuple(axes.images[0].get_array()[0, 0].tolist()) for axes in panels]


def test_channels_of_other_names_have_those_and_colours_that_differ():
    names = ["DAPI", "magenta", "mCherry", "GFP"]
    titles, colours = _titles_and_colours(4, names)
    assert titles == names
    assert colours[1] == (1, 0, 1)
    assert len(set(colours)) == 4
    assert _titles_and_colours(2, ["red", "green"]) == (["red", "green"], [(1, 0, 0), (0, 1, 0)]), "nothing is stained"
    assert _titles_and_colours(1, ["mCherry"]) == (["mCherry"], [(1, 1, 1)])
    assert _titles_and_colours(3, None)[0] == ["channel1", "channel2", "channel3"]
    assert len(_titles_and_colours(30, None)[1]) == 30


@pytest.mark.parametrize(
    ("shape", "arguments", "message"),
    [
        ((8, 8, 3), {"channels": atlas.CHANNELS}, r"\(height, width, 4\).*\(8, 8, 3\)"),
        ((8, 8), {}, r"\(height, width, channels\).*\(8, 8\)"),
        ((8, 8, 4), {"saturated": 100}, "per cent.*100"),
    ],
)
def test_channels_refuse_wrong_input(shape, arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_channels(np.zeros(shape), **arguments)


def _calibrator(**changes):
    values = {
        "thresholds_": np.array([0.3, np.inf, 0.7]),
        "scores_": np.array([0.5, 0.0, 1.0]),
        "support_": np.array([10, 0, 3]),
        "class_names": None,
        "from_logits": False,
    }
    return SimpleNamespace(**(values | changes))


def test_thresholds_mark_what_is_never_predicted():
    figure = plots.plot_thresholds(_calibrator(), class_names=atlas.CLASS_NAMES[:3])
    threshold, score, support = figure.axes
    drawn, never = (np.ma.filled(c.get_offsets(), np.nan) for c in threshold.collections)
    np.testing.assert_allclose(drawn[:, 0], [0.3, np.nan, 0.7])
    np.testing.assert_array_equal(never, [[0, 1]])
    assert score.get_title() == "F1 (mean of all 0.500)"
    assert [text.get_text() for text in support.texts] == ["10", "0", "3"]
    assert [label.get_text() for label in threshold.get_yticklabels()] == list(atlas.CLASS_NAMES[:3])


def test_thresholds_refuse_another_number_of_names():
    with pytest.raises(ValueError, match=r"3 names. Received: 2"):
        plots.plot_thresholds(_calibrator(), class_names=["a", "b"])


@pytest.mark.parametrize("from_logits", [False, True])
def test_threshold_curves_show_the_chosen_point_on_the_curve(from_logits):
    rng = np.random.default_rng(0)
    labels = (rng.uniform(size=(300, 6)) < 0.3).astype(int)
    labels[:, 2] = 0
    scores = rng.normal(size=labels.shape) + 2 * labels - 1
    if not from_logits:
        scores = 1 / (1 + np.exp(-scores))
    calibrator = ThresholdCalibrator("max_f1", from_logits=from_logits).fit(scores, labels)
    figure = plots.plot_threshold_curves(calibrator, scores, labels)
    assert len([axes for axes in figure.axes if axes.axison]) == 6
    for column in (0, 1, 3, 4, 5):
        curve, interval, point = figure.axes[column].lines
        assert curve.get_ydata().max() == pytest.approx(calibrator.scores_[column])
        assert point.get_ydata()[0] == pytest.approx(calibrator.scores_[column])
        low, high = interval.get_ydata()
        assert low < point.get_ydata()[0] < high
        logit = calibrator.thresholds_[column]
        logit = logit if from_logits else np.log(logit / (1 - logit))
        assert point.get_xdata()[0] == pytest.approx(logit)
    assert figure.axes[2].texts[0].get_text() == "never predicted"
    assert plots.plot_threshold_curves(calibrator, scores, labels, classes=[4]).axes[0].get_title().startswith("4 (")


def test_threshold_curves_refuse_a_class_that_is_not_there():
    calibrator = ThresholdCalibrator().fit([[0.2], [0.7]], [[0], [1]])
    with pytest.raises(ValueError, match=r"classes.*0 to 0.*\[1\]"):
        plots.plot_threshold_curves(calibrator, [[0.2], [0.7]], [[0], [1]], classes=[1])


def test_missing_matplotlib_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"keras-hpa\[plots\]"):
        plots.plot_learning_curves(_HISTORY)


def test_activation_maps_glow_over_the_merge():
    image = np.zeros((6, 8, 4), "uint8")
    image[2:4, 2:4, 1] = 255
    maps = np.zeros((6, 8, 5))
    maps[2, 3] = [1, 2, 3, 4, -5]
    figure = plots.plot_activation_maps(image, maps, atlas.CHANNELS, class_names=list("abcde"), title="sample")
    panels = [axes for axes in figure.axes if axes.images]
    assert [axes.get_title() for axes in panels] == ["merge", *"abcde"]
    np.testing.assert_allclose(panels[0].images[0].get_array()[2, 2], (0, 1, 0))
    for number, axes in enumerate(panels[1:], start=1):
        glow = axes.images[1]
        assert glow.get_array()[2, 3] == (number if number < 5 else 0)
        assert glow.get_alpha()[0, 0] == 0
    assert figure.axes[-1].get_xlabel() == "contribution to the logit"


def test_a_class_that_was_hardly_seen_stays_dark():
    maps = np.ones((6, 8, 3)) * [2.0, 0.5, 0.01]
    figure = plots.plot_activation_maps(np.zeros((6, 8, 4)), maps)
    assert [axes.images[1].get_clim()[1] for axes in figure.axes[1:4]] == [2, 0.5, 0.5]
    nothing = plots.plot_activation_maps(np.zeros((6, 8, 4)), -maps)
    assert not nothing.axes[1].images[1].get_alpha().any()


@pytest.mark.parametrize(
    ("shape", "names", "message"),
    [
        ((6, 8), None, r"`maps` must have shape \(6, 8, 'classes'\)"),
        ((5, 8, 2), None, r"Received: shape \(5, 8, 2\)"),
        ((6, 8, 2), ["a"], "`class_names` must hold 2 names. Received: 1"),
    ],
)
def test_activation_maps_refuse_what_does_not_fit(shape, names, message):
    with pytest.raises(ValueError, match=message):
        plots.plot_activation_maps(np.zeros((6, 8, 4)), np.zeros(shape), class_names=names)
