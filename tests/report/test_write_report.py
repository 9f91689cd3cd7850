import argparse
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import training_run
from report_findings import count_pairs, find_what_to_look_at, macro_f1_interval
from run_report import write_report
from sklearn.metrics import f1_score

import keras_hpa

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


def _write(path, labels, *, class_names=None, ids=None, channels=("red", "green"), histories=_HISTORIES, **options):
    labels = np.asarray(labels)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (len(labels), 32, 32, len(channels)), dtype=np.uint8)
    source = keras_hpa.ArraySource(images, ids=ids, channels=channels)
    model = keras_hpa.GapNet((32, 32, len(channels)), num_classes=labels.shape[1], filters=(4, 4), depths=(1, 1))
    scores = np.clip(0.6 * (labels == 1) + rng.random(labels.shape) * 0.4, 0, 1)
    options = {"title": "A run", "settings": {"epochs": 3, "data": None}} | options
    write_report(
        path,
        model=model,
        validation=keras_hpa.MultiChannelSequence(source, labels, batch_size=4, image_size=32),
        scores=scores,
        calibrator=keras_hpa.ThresholdCalibrator("max_f1", class_names=class_names).fit(scores, labels),
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
    for text in ("A run", "20 validation samples", "macro-F1 over the 6 classes", "loss 0.9", "epochs 3", "keras"):
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
        title=_EVIL,
        settings={_EVIL: _EVIL},
        histories={_EVIL: _HISTORIES["stage 1"]},
    )
    _check_alone(page)
    assert page.text.count(_EVIL) > 10
    assert '"><img src=x onerror=alert(2)>$a_$' in page.text


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([[1], [0], [1]], "macro-F1 over the class that occurs"),
        ([[1, 0, 0], [1, 0, 0], [0, 0, 1]], "is carried by no validation sample"),
        ([[0, 0], [0, 0]], "No validation sample carries a label."),
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


def test_macro_f1_is_that_of_scikit_learn_and_lies_in_its_interval():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 2, (2, 60, 5))
    labels[:, 4] = 0
    found = macro_f1_interval(labels, predicted, num_resamples=200)
    assert found["value"] == pytest.approx(f1_score(labels[:, :4], predicted[:, :4], average="macro"))
    assert found["over_all"] == pytest.approx(f1_score(labels, predicted, average="macro", zero_division=0))
    assert found["low"] < found["value"] < found["high"]
    assert found["num_classes"] == 4


def test_pairs_are_counted_as_by_hand():
    labels, predicted = np.random.default_rng(0).integers(0, 2, (2, 30, 4))
    true, found = count_pairs(labels, predicted)
    for one in range(4):
        for other in range(4):
            assert true[one, other] == sum(a and b for a, b in labels[:, [one, other]])
            assert found[one, other] == sum(a and b for a, b in predicted[:, [one, other]])


def test_findings_name_what_is_unusual():
    names = {"silent": (20, 0, 0.0), "often": (20, 50, 0.4), "rare": (3, 3, 1.0), "good": (20, 20, 0.9)}
    rows = [
        {"class": name, "support": support, "predicted": predicted, "f_beta": f1}
        for name, (support, predicted, f1) in names.items()
    ]
    rows.append({"class": "absent", "support": 0, "predicted": 0, "f_beta": 0.0})
    predicted = np.ones((10, 5))
    predicted[:4] = 0
    histories = {"one": {"val_loss": [2, 1]}, "two": {"val_loss": [1, 2, 3]}, "three": {"val_loss": [1, np.nan]}}
    findings = find_what_to_look_at(rows, np.ones((10, 5)), predicted, histories)
    told = [classes for _, classes in findings]
    assert told[:5] == ["silent (20 samples)", "often (50 for 20)", "silent (0.00), often (0.40)", "rare (3)", "absent"]
    assert "4 of 10 samples get no label" in findings[5][0]
    endings = ("longer training may do better", "epoch 1 of 3, 1.000, and 3.000 at the end", "may help")
    assert all(ending in sentence for ending, (sentence, _) in zip(endings, findings[6:], strict=True))


@pytest.mark.parametrize("interpolation", ["area", "bilinear"])
def test_batches_from_a_pack_are_those_from_the_files(kaggle_folder, tmp_path, interpolation):
    samples = keras_hpa.load_kaggle(kaggle_folder)
    run = argparse.Namespace(image_size=48, batch_size=6, seed=1, workers=1, pack=None)
    batches = []
    for run.pack in (None, tmp_path / "pack", tmp_path / "pack"):
        read = training_run.packed(run, samples, interpolation)
        sequence = training_run.make_sequence(
            run, read[3:15], shuffle=True, augment="dihedral", interpolation=interpolation
        )
        batches.append([sequence[index] for index in range(len(sequence))])
    for batch, packed, packed_again in zip(*batches, strict=True):
        for expected, *got in zip(batch, packed, packed_again, strict=True):
            np.testing.assert_array_equal(got, [expected, expected])
