import base64
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import keras_hpa
from keras_hpa.report import write_report
from keras_hpa.report.findings import find_what_to_look_at
from keras_hpa.report.pictures import read_images, sample_pictures

_EVIL = "<script>alert(1)</script>"
_HISTORIES = {
    "stage 1": {"loss": [0.7, 0.5, 0.4], "val_loss": [0.8, 0.5, 0.6], "macro_f1": [0.1, 0.2, 0.3]},
    "stage 2": {"loss": [0.9], "val_macro_f1": [0.25]},
}


class _Page(HTMLParser):
    """The tags, attributes and text of a page, as a browser reads them."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.attributes, self.texts = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))
        self.text = re.sub(r"\s+", " ", " ".join(self.texts))

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)

    def values(self, *names):
        return [value for name, value in self.attributes if name in names]


def _samples(labels, *, class_names=None, ids=None, channels=("red", "green"), size=32):
    labels = np.asarray(labels)
    images = np.random.default_rng(0).integers(0, 255, (len(labels), size, size, len(channels)), dtype=np.uint8)
    return keras_hpa.Samples(keras_hpa.ArraySource(images, ids=ids, channels=channels), labels, class_names=class_names)


def _scores(labels):
    return np.clip(0.6 * (np.asarray(labels) == 1) + np.random.default_rng(0).random(np.shape(labels)) * 0.4, 0, 1)


def _model(num_channels, num_classes, **options):
    return keras_hpa.GapNet((32, 32, num_channels), num_classes=num_classes, filters=(4, 4), depths=(1, 1), **options)


def _write(path, labels, *, histories=_HISTORIES, with_model=True, options=(), **described):
    samples = _samples(labels, **described)
    scores = _scores(samples.labels)
    options = {"title": "A run", "settings": {"epochs": 3, "data": None}} | dict(options)
    if with_model:
        options["model"] = _model(len(samples.channels), samples.labels.shape[1])
    write_report(
        path,
        samples,
        scores,
        keras_hpa.ThresholdCalibrator("max_f1").fit(scores, samples.labels),
        histories=histories,
        **options,
    )
    return _Page(path)


def _check_alone(page):
    assert not page.tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    assert all(value.startswith("data:image/") for value in page.values("src"))
    assert all(value.startswith("#") for value in page.values("href"))
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("srcset", "action")]
    assert "url(" not in page.text
    assert "@import" not in page.text


def test_report_is_one_file_that_loads_nothing_and_says_what_matters(tmp_path):
    labels = np.random.default_rng(1).integers(0, 2, (20, 6))
    page = _write(tmp_path / "report.html", labels, class_names=list("ABCDEF"))
    _check_alone(page)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").stat().st_size < 2_000_000
    for text in (
        "A run",
        "20 validation samples",
        "over the 6 classes that occur or are predicted",
        "loss 0.9",
        "epochs 3",
        "keras",
    ):
        assert text in page.text
    assert "data" not in dict(page.attributes), "a setting that was not given is left out"
    assert all(page.values("alt"))
    assert len(page.values("alt")) == len(page.values("src")) == 1 + 2 + 16 * 4, "thresholds, curves, 16 samples"
    assert any(
        "Loss: training from 0.700 to 0.400, validation from 0.800 to 0.600" in alt for alt in page.values("alt")
    )


def test_what_is_shown_is_escaped(tmp_path):
    labels = np.tile([[1, 0], [0, 1]], (3, 1))
    page = _write(
        tmp_path / "report.html",
        labels,
        class_names=[_EVIL, '"><img src=x onerror=alert(2)>$a_$'],
        ids=[f"{_EVIL}{number}" for number in range(6)],
        channels=("red", _EVIL),
        options={"title": _EVIL, "settings": {_EVIL: _EVIL}},
        histories={_EVIL: _HISTORIES["stage 1"]},
    )
    _check_alone(page)
    assert page.text.count(_EVIL) > 10
    assert '"><img src=x onerror=alert(2)>$a_$' in page.text


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([[1], [0], [1]], "over the class that occurs or is predicted"),
        ([[1, 0, 0], [1, 0, 0], [0, 0, 1]], "is without a sample that has the label"),
        ([[0, 0], [0, 0]], "No validation sample has a label."),
        ([[1, 1]], "validation sample "),
        ([[1, -1], [0, -1], [-1, 1]], "3 validation samples"),
        (np.eye(45, dtype=int)[:, ::-1], "45 validation samples"),
    ],
)
def test_unusual_labels(tmp_path, labels, told):
    page = _write(tmp_path / "report.html", labels, histories={"stage 1": {}})
    _check_alone(page)
    assert told in page.text
    assert "No epoch was finished." in page.text
    assert "nan" not in page.text


_LAGGING = {"macro_f1": [0.05, 0.2, 0.4, 0.6], "val_macro_f1": [0.04, 0.045, 0.045, 0.05]}
_OVER_FITTED = {"macro_f1": [0.05, 0.4, 0.7, 0.9], "val_macro_f1": [0.05, 0.25, 0.3, 0.2]}
_EVEN = {"macro_f1": [0.05, 0.1, 0.11, 0.1], "val_macro_f1": [0.05, 0.05, 0.05, 0.05]}
_LEFT_OUT = {"accuracy": [0.5, 0.6, 0.7, 0.8, 0.9], "val_accuracy": [np.nan, 0.5, np.nan, 0.5, 0.5]}


@pytest.mark.parametrize(
    ("history", "stands_still"),
    [
        (_LAGGING, True),
        (_LEFT_OUT, True),
        (_OVER_FITTED, False),
        (_EVEN, False),
        ({name: values[:2] for name, values in _LAGGING.items()}, False),
        ({"loss": [1, 2, 3], "val_loss": [1, 1, 1]}, False),
        ({"macro_f1": [0.1, 0.5, 0.9]}, False),
    ],
)
def test_a_validation_that_stands_still_while_the_training_rises_is_flagged(tmp_path, history, stands_still):
    page = _write(tmp_path / "report.html", [[1, 0], [0, 1]] * 3, histories=history, with_model=False)
    assert ("stands still in validation" in page.text) == stands_still
    assert ("keras_hpa.reestimate_batch_norm(model, training_batches)" in page.text) == stands_still


def test_a_frozen_batch_norm_is_flagged_in_a_real_training(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (32, 1))
    images = (rng.random((32, 32, 32, 2)) * 0.2 + 0.5 * labels[:, None, None]).astype("float32")
    samples = keras_hpa.Samples(keras_hpa.ArraySource(images), labels)
    batches = samples.batches(batch_size=8, shuffle=True)
    model = _model(2, 1, variant="report")
    model.compile("adam", "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    history = model.fit(batches, validation_data=samples.batches(batch_size=8), epochs=6, verbose=0)
    scores = model.predict(samples.batches(), verbose=0)
    calibrator = keras_hpa.ThresholdCalibrator().fit(scores, labels)
    write_report(tmp_path / "report.html", samples, scores, calibrator, histories=history)
    found = find_what_to_look_at([], labels, labels, {"training": history.history})
    assert ("stands still" in _Page(tmp_path / "report.html").text) == any("stands still" in text for text, _ in found)


def test_without_a_model_or_a_history_there_are_pictures_only(tmp_path):
    page = _write(tmp_path / "report.html", [[1, 0], [0, 1]] * 3, histories=None, with_model=False, ids=list("abcdef"))
    _check_alone(page)
    assert "Training" not in page.text
    assert "glows" not in page.text
    assert len(page.values("src")) == 1 + 2 * 4 * 3


@pytest.mark.parametrize("as_object", [True, False])
def test_one_history_is_a_stage_called_training(tmp_path, as_object):
    history = _HISTORIES["stage 1"] | {"f1": [[0.1, 0.2]] * 3, "auc": [0.1, 0.2, 0.3]}
    given = SimpleNamespace(history=history) if as_object else history
    page = _write(tmp_path / "report.html", [[1, 0], [0, 1]], histories=given, with_model=False)
    assert "Training 3 epochs" in page.text


def test_the_cross_fitted_macro_f1_stands_beside_that_of_the_fit(tmp_path):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (60, 3))
    samples, scores = _samples(labels), np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    calibrator = keras_hpa.ThresholdCalibrator("max_f1").fit(scores, labels)
    honest = keras_hpa.thresholds.cross_fit("max_f1", scores, labels)
    write_report(tmp_path / "report.html", samples, scores, calibrator)
    text = _Page(tmp_path / "report.html").text
    assert f"{honest:.2f} cross-fitted macro-F1" in text
    assert f"{calibrator.score(scores, labels):.2f}" in text
    assert "too favourable" in text
    others = labels[::-1].copy()
    fixed = keras_hpa.ThresholdCalibrator("fixed").fit(scores, labels)
    for part, fitted in ((keras_hpa.Samples(samples.source, others), calibrator), (samples, fixed)):
        write_report(tmp_path / "report.html", part, scores, fitted)
        text = _Page(tmp_path / "report.html").text
        assert "cross-fitted" not in text
        assert "too favourable" not in text


def test_numbers_are_those_of_the_samples_given_not_of_the_fit(tmp_path):
    labels = np.tile([[1, 0], [0, 1]], (10, 1))
    calibrator = keras_hpa.ThresholdCalibrator("max_f1").fit(_scores(labels), labels)
    samples = _samples(labels[:4], class_names=["Golgi", "Cytosol"])
    write_report(tmp_path / "report.html", samples, _scores(labels)[:4], calibrator)
    page = _Page(tmp_path / "report.html")
    assert "4 validation samples" in page.text
    low = keras_hpa.evaluation.evaluate(_scores(labels)[:4], samples, thresholds=calibrator)["Golgi"]["f1_low"]
    assert re.search(rf"Golgi 1\.00 {low:.2f}–1\.00 2 2", page.text)


@pytest.mark.parametrize("input_dtype", ["float32", "uint8"])
def test_images_are_read_as_the_model_takes_them(input_dtype):
    samples = _samples([[1, 0], [0, 1]], size=40)
    model = _model(2, 2, input_dtype=input_dtype)
    images = read_images(samples, [1, 0], model, None)
    assert images.dtype == input_dtype
    dtype = "source" if input_dtype == "uint8" else "float32"
    np.testing.assert_array_equal(images, samples[[1, 0]].batches(image_size=32, dtype=dtype)[0][0])
    batches = samples.batches(image_size=32, dtype=dtype, interpolation="bilinear", shuffle=True)
    images = read_images(samples, [1], model, batches)
    np.testing.assert_array_equal(
        images, samples[[1]].batches(image_size=32, dtype=dtype, interpolation="bilinear")[0][0]
    )


def test_pictures_are_the_pixels_that_the_plots_show():
    image = np.stack(np.meshgrid(np.linspace(0, 1, 32), np.linspace(0, 1, 32)), axis=-1)[None]
    model = _model(2, 3)
    (drawn,) = sample_pictures(image, ["red", "DAPI"], model, 1)
    shown = keras_hpa.plots.displayed(image[0], ["red", "DAPI"])
    seen = keras_hpa.plots.glow(shown, keras_hpa.class_activation_maps(model, image, [1])[0])
    for uri, expected in ((drawn["merge"], shown.merge), (drawn["seen"], seen.pictures[0])):
        content = np.frombuffer(base64.b64decode(uri.split(",")[1]), np.uint8)
        pixels = cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1] / 255
        assert np.abs(pixels - expected).mean() < 0.03, "WebP loses a little"


def test_names_with_dollars_and_accents_are_text(tmp_path):
    names = ["$\\x$", "Région <b> & $y$"]
    page = _write(
        tmp_path / "report.html", [[1, 0], [0, 1]] * 4, class_names=names, ids=[f"$\\x$ é{i}" for i in range(8)]
    )
    for name in (*names, "$\\x$ é3"):
        assert name in page.text


def test_a_latin_locale_changes_nothing(tmp_path):
    program = """
import numpy as np, keras_hpa
labels = np.eye(2, dtype=int).repeat(3, 0)
samples = keras_hpa.Samples(keras_hpa.ArraySource(np.ones((6, 8, 8, 1))), labels, class_names=["R\\xe9gion", "b"])
calibrator = keras_hpa.ThresholdCalibrator().fit(0.8 * labels + 0.1, labels)
keras_hpa.report.write_report("report.html", samples, 0.8 * labels + 0.1, calibrator)
"""
    environment = _environment(LC_ALL="POSIX", PYTHONCOERCECLOCALE="0")
    subprocess.run([sys.executable, "-X", "utf8=0", "-c", program], check=True, cwd=tmp_path, env=environment)
    assert "Région" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_importing_the_library_needs_no_extra_and_the_report_says_which(tmp_path):
    program = """
import sys
for name in ("jinja2", "matplotlib"):
    sys.modules[name] = None
import keras_hpa
try:
    keras_hpa.report.write_report("x.html", None, None, None)
except ImportError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, env=_environment()
    )
    assert run.stdout == 'The run report needs Jinja2 and Matplotlib: pip install "keras-hpa[report]"\n'


def _environment(**changes):
    return os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(keras_hpa.__file__))} | changes


@pytest.mark.parametrize(
    ("samples", "scores", "options", "message"),
    [
        (_samples([[1], [0]]), np.zeros((3, 1)), {}, r"`scores`.*\(2, 1\). Received: shape \(3, 1\)"),
        (keras_hpa.Samples(_samples([[1], [0]]).source), np.zeros((2, 1)), {}, "`scores`.*which have none"),
        (_samples([[1], [0]]), np.array([[0.9], [0.1]]), {"classes": [1]}, r"`classes`.*0 to 0. Received: \[1\]"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, samples, scores, options, message):
    calibrator = keras_hpa.ThresholdCalibrator("max_f1").fit([[0.9], [0.1]], [[1], [0]])
    with pytest.raises(ValueError, match=message):
        write_report(tmp_path / "report.html", samples, scores, calibrator, **options)
    assert not list(tmp_path.iterdir())


def test_images_are_shown_at_the_scale_of_the_batches():
    labels = np.eye(2, dtype=int)[[0, 1, 0, 1]]
    samples = keras_hpa.Samples(_samples(labels, size=80), pixel_sizes=[0.325, 0.65, 0.325, 0.65])
    batches = samples.batches(image_size=32, fit="crop", pixel_size=0.65)
    images = read_images(samples, [1, 0], _model(2, 2), batches)
    np.testing.assert_array_equal(images, batches[0][0][[1, 0]])
