import io
import sys
from types import SimpleNamespace

import matplotlib
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


def test_learning_curves_show_all_that_was_logged():
    history = {"loss": [0.5, 0.4], "macro_f1": [0.1, 0.2], "val_macro_f1": [0.1, 0.2], "learning_rate": [1, 1]}
    figure = plots.plot_learning_curves(SimpleNamespace(history=history))
    assert [axes.get_title() for axes in figure.axes] == ["Loss", "Macro-F1"]


@pytest.mark.parametrize(
    ("num_epochs", "validation", "validation_freq", "expected"),
    [
        (6, [1, 2, 3], None, [2, 4, 6]),
        (7, [1, 2, 3], 2, [2, 4, 6]),
        (5, [1], 3, [3]),
        (6, [1, 2, 3], [1, 2, 6], [1, 2, 6]),
        (4, [np.nan, 1, np.nan, 2], None, [2, 4]),
    ],
)
def test_learning_curves_of_epochs_that_were_not_all_validated(num_epochs, validation, validation_freq, expected):
    history = {"loss": [0.5] * num_epochs, "val_loss": validation}
    line = plots.plot_learning_curves(history, validation_freq=validation_freq).axes[0].lines[1]
    np.testing.assert_array_equal(line.get_xdata(), expected)
    np.testing.assert_array_equal(line.get_ydata(), np.array(validation)[np.isfinite(validation)])


def test_learning_curves_of_a_metric_with_several_values():
    figure = plots.plot_learning_curves({"f1": np.arange(6).reshape(3, 2)})
    np.testing.assert_array_equal(figure.axes[0].lines[1].get_ydata(), [1, 3, 5])
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["training"]


def test_no_text_of_a_user_is_read_as_math():
    text = "$\\x$ <b> & Région"
    image, calibrator = np.ones((8, 8, 1)), _calibrator()
    figures = [
        plots.plot_channels(image, [text], title=text),
        plots.plot_activation_maps(image, image, [text], [text], title=text),
        plots.plot_learning_curves({text: [1, 2]}),
        plots.plot_thresholds(calibrator, [text] * 3),
    ]
    fitted = ThresholdCalibrator("max_f1", class_names=[text]).fit([[0.2], [0.7]], [[0], [1]])
    figures.append(plots.plot_threshold_curves(fitted, [[0.2], [0.7]], [[0], [1]]))
    for figure in figures:
        shown = figure.findobj(lambda artist: text in getattr(artist, "get_text", str)())
        assert shown
        assert not any(artist.get_parse_math() for artist in shown)
        figure.savefig(io.BytesIO(), format="svg")


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
    dyes = ["Hoechst 33342", "Alexa 488", "mCherry", "Cy5"]
    assert _titles_and_colours(4, dyes)[1] == [(0, 0, 1), (0, 1, 0), (1, 0, 1), (1, 1, 0)]
    assert _titles_and_colours(2, ["mCherry", "magenta"])[1][1] == (1, 0, 1), "a colour's own name comes first"
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
        "f_beta_": np.array([0.5, np.nan, 1.0]),
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
    assert score.get_title() == "F1 (mean 0.750)"
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
        assert curve.get_ydata().max() == pytest.approx(calibrator.f_beta_[column])
        assert point.get_ydata()[0] == pytest.approx(calibrator.f_beta_[column])
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
    seen = plots.glow(plots.displayed(image, atlas.CHANNELS), maps)
    for number, axes in enumerate(panels[1:]):
        picture = axes.images[0].get_array()
        np.testing.assert_array_equal(picture, seen.pictures[number])
        assert not picture[0, 0].any(), "nothing glows where the map is 0"
        assert (picture[2, 3] != panels[5].images[0].get_array()[2, 3]).all() == (number < 4)
    np.testing.assert_allclose(seen.highest[:4], np.percentile(maps[..., :4], 99.8, axis=(0, 1)))
    assert figure.axes[-1].get_xlabel() == "contribution to the logit"


def test_a_class_that_was_hardly_seen_stays_dark():
    maps = np.ones((6, 8, 3)) * [2.0, 0.5, 0.01]
    shown = plots.displayed(np.zeros((6, 8, 4)), atlas.CHANNELS)
    seen = plots.glow(shown, maps)
    np.testing.assert_array_equal(seen.highest, [2, 0.5, 0.5])
    brightness = seen.pictures.mean(axis=(1, 2, 3))
    assert brightness[0] == brightness[1] > 5 * brightness[2]
    assert not plots.glow(shown, -maps).pictures.any()


def test_pixels_are_those_of_two_layers_that_matplotlib_draws():
    rng = np.random.default_rng(0)
    image, maps = rng.random((6, 8, 2)), rng.normal(size=(6, 8, 1))
    shown = plots.displayed(image, ["red", "DAPI"])
    seen = plots.glow(shown, maps)
    share = np.clip(maps / seen.highest, 0, 1)
    over = matplotlib.colormaps["inferno"](share[..., 0])[..., :3]
    under = 0.6 * (0.6 * shown.merge.mean(axis=-1, keepdims=True) + 0.4 * shown.merge)
    cover = 0.9 * np.sqrt(share)
    np.testing.assert_allclose(seen.pictures[0], under * (1 - cover) + over * cover)
    np.testing.assert_allclose(shown.panels.sum(axis=0).clip(0, 1), shown.merge)


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


def test_embeddings_have_a_panel_for_each_frequent_class():
    rng = np.random.default_rng(0)
    labels = (rng.random((40, 4)) < [0.5, 0.1, 0.4, 0.3]).astype(int)
    figure = plots.plot_embedding(
        rng.normal(size=(40, 6)), labels, class_names=["a", "b", "$c$", "d"], max_classes=3, method="pca"
    )
    assert [axes.get_title() for axes in figure.axes] == [
        f"{name} ({labels[:, number].sum()})" for name, number in (("a", 0), ("$c$", 2), ("d", 3))
    ]
    blue = figure.axes[0].collections[1].get_offsets()
    assert len(blue) == labels[:, 0].sum()


def test_embeddings_by_one_value_per_sample():
    embeddings = np.random.default_rng(0).normal(size=(30, 1))
    figure = plots.plot_embedding(embeddings, np.arange(30) % 15, method="tsne")
    names = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert names[0] == "others (6)"
    assert len(names) == 13


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "mds"}, "`method` must be one of"),
        ({"embeddings": np.zeros((2, 3)), "labels": [0, 1]}, "three samples at least"),
        ({"embeddings": np.full((5, 3), np.nan)}, "must be finite"),
        ({"labels": [0, 1]}, "must hold 5 values"),
        ({"labels": np.zeros((5, 2), int), "class_names": ["a"]}, "must hold 2 names"),
    ],
)
def test_embeddings_that_cannot_be_drawn(arguments, message):
    given = {"embeddings": np.zeros((5, 3)), "labels": [0, 1, 0, 1, 0], "method": "pca"} | arguments
    with pytest.raises(ValueError, match=message):
        plots.plot_embedding(**given)
