"""Whatever is put in, the answer is right or one kind of error: a ValueError or TypeError that says what was received.

`make soak` feeds 200,000 inputs, CI the first 2,000 of them. An input is a pure function of its subject and number, so
that a failure is repeated by `check(subject, number)`.
"""

import os
import re
import signal
import warnings
from collections import Counter
from contextlib import contextmanager

import numpy as np
import pytest
from sklearn.metrics import f1_score

import keras_hpa
from keras_hpa import thresholds
from tests.fuzz.damaged_files import draw_file, read_file
from tests.fuzz.odd_values import NUMBERS, OBJECTS, label_matrix, pick, spoiled, text

_SECONDS_FOR_ONE = 30


def _read_damaged_file(rng, folder):
    return read_file(draw_file(rng), folder)


def _parse_labels(rng, folder):
    texts = [text(rng) if rng.random() < 0.5 else pick(rng, ["0", "1 0", "a", *OBJECTS]) for _ in range(3)]
    classes = pick(rng, [28, 3, ["a", "b", "é"], ["1", "0"], 0, -1, 2.0, [], ["a", "A"], [None], "ab", np.int64(4), True])
    separator = pick(rng, [" ", ";", "|", "", "\t", "0"])
    allow_empty = bool(rng.integers(2))
    matrix = keras_hpa.parse_labels(texts, classes, separator=separator, ids=["i", "j", "k"], allow_empty=allow_empty)
    assert matrix.dtype == np.uint8
    assert matrix.shape == (3, classes if isinstance(classes, int | np.integer) else len(classes))
    assert allow_empty or matrix.any(axis=1).all()
    names = None if isinstance(classes, int | np.integer) else classes
    if separator.strip() and not any(separator in name for name in names or map(str, range(matrix.shape[1]))):
        written = keras_hpa.format_labels(matrix, separator, class_names=names)
        np.testing.assert_array_equal(
            keras_hpa.parse_labels(written, classes, separator=separator, allow_empty=True), matrix
        )


def _load_table(rng, folder):
    rows = [["Id", "Target", "plate"], *([f"s{row}", pick(rng, ["0", "1 0", "2"]), "p"] for row in range(4))]
    for _ in range(rng.integers(3)):
        row = rows[rng.integers(len(rows))]
        row[rng.integers(len(row))] = text(rng)
    content = "\n".join(",".join(row) for row in rows).encode(pick(rng, ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-8"]), "replace")
    if rng.random() < 0.3:
        content = bytearray(content)
        content[rng.integers(len(content))] = rng.integers(256)
    (folder / "labels.csv").write_bytes(content)
    (folder / "images").mkdir(exist_ok=True)
    (folder / "images" / "s0_dapi.png").touch()
    samples = keras_hpa.load_folder(
        folder / "images",
        folder / "labels.csv",
        channels=["dapi"],
        groups=pick(rng, [None, "plate"]),
        allow_empty=bool(rng.integers(2)),
        num_classes=pick(rng, [None, 3]),
    )
    assert len(samples) == len(samples.labels) == len(set(samples.ids))
    assert not any(".." in name.split("/") for name in samples.ids)


def _calibrate(rng, folder):
    labels = label_matrix(rng)
    from_logits = bool(rng.integers(2))
    scores = np.clip(0.3 * labels + rng.random(labels.shape), 0, 1)
    if from_logits:
        scores = (scores - 0.5) * pick(rng, [1, 20, 1e6])
    rule = pick(rng, [*_RULES, "no rule", None, 3])
    weights = pick(rng, [None, None, spoiled(rng.uniform(0.1, 10, len(labels)), rng)])
    given = spoiled(scores, rng)
    calibrator = keras_hpa.ThresholdCalibrator(rule, from_logits=from_logits, at_least_one=bool(rng.integers(2)))
    calibrator.fit(given, spoiled(labels, rng), weights)
    assert not np.isnan(calibrator.thresholds_).any()
    defined = calibrator.f_beta_[~np.isnan(calibrator.f_beta_)]
    assert ((defined >= 0) & (defined <= 1 + 1e-9)).all()
    predicted = calibrator.predict(given)
    assert predicted.shape == np.shape(given)
    assert set(np.unique(predicted)) <= {0, 1}
    if isinstance(rule, str):
        calibrator.save(folder / "calibrator.json")
        np.testing.assert_array_equal(keras_hpa.ThresholdCalibrator.load(folder / "calibrator.json").predict(given), predicted)


_RULES = (
    "auto",
    "calibrated",
    "fixed",
    "global",
    "max_f1",
    "prevalence",
    "report",
    "shrink",
    thresholds.MaxF1(beta=2),
    thresholds.Auto(absent_classes="never"),
    thresholds.Resampled(thresholds.Prevalence(), num_resamples=3),
)


def _measure_macro_f1(rng, folder):
    labels = label_matrix(rng)
    scores = rng.random(labels.shape).astype("float32")
    threshold = pick(rng, [0.5, 0.5, 0, 1, [0.5] * labels.shape[1], *NUMBERS])
    metric = keras_hpa.MacroF1(threshold=threshold, zero_division=pick(rng, [0, 1, float("nan"), float("nan"), 2, "nan"]))
    for rows in np.array_split(np.arange(len(labels)), 2):
        metric.update_state(labels[rows], scores[rows])
    found = float(metric.result())
    predicted = scores >= np.float32(threshold)
    values = [
        f1_score(labels[labels[:, one] >= 0, one], predicted[labels[:, one] >= 0, one], zero_division=np.nan)
        for one in range(labels.shape[1])
    ]
    zero_division = float(metric.zero_division)
    values = np.where(np.isnan(values), zero_division, values)
    expected = np.nanmean(values) if not np.isnan(values).all() else 0.0
    assert found == pytest.approx(expected, abs=1e-5) or (np.isnan(found) and np.isnan(values).all())


def _split(rng, folder):
    labels = spoiled(label_matrix(rng), rng)
    count = len(labels) if hasattr(labels, "__len__") else 3
    groups = pick(rng, [None, None, rng.integers(1 + count // 3, size=count), spoiled(np.arange(count), rng)])
    seed = pick(rng, [0, 1, 2**31, -1, None, np.int64(3), 1.5])
    if rng.random() < 0.5:
        parts = keras_hpa.stratified_split(labels, pick(rng, [0.2, 0.5, *NUMBERS, None, "x"]), groups, seed)
    else:
        folds = keras_hpa.stratified_folds(labels, pick(rng, [2, 5, 0, 1.5, None, True]), groups=groups, seed=seed)
        for train, test in folds:
            np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(count))
        parts = [test for _, test in folds]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(count))
    assert all(len(part) for part in parts)
    if groups is not None:
        places = [set(np.asarray(groups, dtype=object)[part].tolist()) for part in parts]
        assert not any(one & other for number, one in enumerate(places) for other in places[:number])


_SUBJECTS = {
    function.__name__.strip("_"): function
    for function in (_read_damaged_file, _parse_labels, _load_table, _calibrate, _measure_macro_f1, _split)
}


@contextmanager
def _limit_of_time():
    """Ends what hangs; where the system has no alarm, nothing does."""
    if hasattr(signal, "SIGALRM"):
        signal.alarm(_SECONDS_FOR_ONE)
    yield
    if hasattr(signal, "SIGALRM"):
        signal.alarm(0)


def check(subject, number, folder):
    """Feeds one input, and says what came of it."""
    rng = np.random.default_rng([list(_SUBJECTS).index(subject), number])
    try:
        with _limit_of_time():
            _SUBJECTS[subject](rng, folder)
    except (ValueError, TypeError) as error:
        message = str(error)
        assert re.search(r"Received|could not be read|cannot be read", message), f"{subject} {number}: {error!r}"
        return "refused"
    except BaseException as error:
        raise AssertionError(f"{subject} {number}: {error!r}") from error
    return "right"


@pytest.mark.parametrize("subject", _SUBJECTS)
@pytest.mark.parametrize("share", [0.01, pytest.param(1, marks=pytest.mark.soak)])
def test_any_input_is_answered_or_refused(subject, share, tmp_path):
    num_inputs = round(share * 200_000 / len(_SUBJECTS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcomes = Counter(check(subject, number, tmp_path) for number in range(num_inputs))
    assert outcomes["right"] > num_inputs / 20, outcomes
    assert outcomes["refused"] > num_inputs / 20, outcomes
