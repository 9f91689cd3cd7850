"""Label texts, tables of labels, and submissions."""

import csv
import io

import numpy as np

import keras_hpa
from tests.fuzz.feed import feed, inputs
from tests.fuzz.odd_values import OBJECTS, pick, text

_CLASSES = [28, 3, ["a", "b", "é"], ["1", "0"], ["Golgi apparatus", "Cytosol"]]
_ODD_CLASSES = [0, -1, 2.0, [], ["a", "A"], [None], "ab", True, None, {"a": 1}, ["a", ""], np.int64(4)]
_EMPTY = ("nan", "n/a", "#n/a", "<na>", "null")  # what spreadsheets and pandas write for a cell without a value
_SEPARATORS = [" ", " ", ";", "|", "\t", ", "]


def _parse_texts(rng):
    classes = pick(rng, _CLASSES) if rng.random() < 0.9 else pick(rng, _ODD_CLASSES)
    separator = pick(rng, _SEPARATORS) if rng.random() < 0.9 else pick(rng, ["", "0", "a", None, 3])
    known = classes if isinstance(classes, list) else range(3)
    texts = [
        str(separator).join(str(label).upper() for label in rng.permutation(known)[: rng.integers(1, 3)])
        for _ in range(3)
    ]
    if rng.random() < 0.4:
        texts[rng.integers(3)] = text(rng) if rng.random() < 0.7 else pick(rng, OBJECTS)
    allow_empty = bool(rng.integers(2))
    matrix = keras_hpa.parse_labels(texts, classes, separator=separator, ids=list("ijk"), allow_empty=allow_empty)

    names = [] if isinstance(classes, int | np.integer) else [name.lower() for name in classes]
    assert matrix.dtype == np.uint8
    assert matrix.shape == (3, len(names) or classes)
    assert allow_empty or matrix.any(axis=1).all()
    for one, row in zip(texts, matrix, strict=True):
        is_empty = one is None or one != one
        parts = [] if is_empty else str(one).strip().split(None if separator == " " else separator)
        parts = [part.strip().lower() for part in parts]
        found = {names.index(part) if part in names else int(part) for part in parts if parts != [""]}
        assert found == set(np.flatnonzero(row))
    written = keras_hpa.format_labels(matrix, separator, class_names=names or None)
    np.testing.assert_array_equal(
        keras_hpa.parse_labels(written, classes, separator=separator, allow_empty=True), matrix
    )


def _load_table(rng, folder):
    rows = [
        ["Id", "Target", "plate"],
        *([f"s{row}", pick(rng, ["0", "1 0", "2"]), pick(rng, "pq")] for row in range(4)),
    ]
    for _ in range(rng.integers(3)):
        row = rows[rng.integers(len(rows))]
        row[rng.integers(len(row))] = text(rng)
    is_quoted = bool(rng.integers(2))
    file = io.StringIO()
    if is_quoted:
        csv.writer(file, lineterminator=pick(rng, ["\n", "\r\n"])).writerows(rows)
    else:
        file.write("\n".join(",".join(row) for row in rows))
    encoding = pick(rng, ["utf-8", "utf-8", "utf-8-sig", "utf-16", "cp1252"])
    content = bytearray(file.getvalue().encode(encoding, "replace"))
    is_damaged = rng.random() < 0.2
    if is_damaged:
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
        missing="zeros",
    )
    assert len(samples) == len(samples.labels) == len(set(samples.ids))
    assert not any(".." in name.split("/") for name in samples.ids)
    if is_quoted and not is_damaged and encoding.startswith("utf-8"):
        assert [name.strip() for name in samples.ids] == [row[0].strip() for row in rows[1:]]
        for row, labels in zip(rows[1:], samples.labels, strict=True):
            names = samples.class_names or [str(number) for number in range(len(labels))]
            written = "" if row[1].strip().lower() in _EMPTY or row[1].strip() == "NA" else row[1].lower()
            if written.strip() == "-1":  # unknown
                assert (labels == -1).all()
                continue
            if samples.class_names is None:
                written = " ".join(str(int(number)) for number in written.split())
            assert sorted(written.split()) == sorted(names[column].lower() for column in np.flatnonzero(labels))


def _without_formula(id_):
    """As a table for people has it: what a spreadsheet would run, and is no number, has an apostrophe in front."""
    try:
        float(id_)
    except ValueError:
        return f"'{id_}" if id_.startswith(("=", "+", "-", "@", "\t", "\r")) else id_
    return id_


def _write_submission(rng, folder):
    predictions = rng.integers(0, 2, size=(3, int(rng.integers(1, 5)))).astype(pick(rng, ["u1", "i8", "f4", "?"]))
    if rng.random() < 0.3:
        predictions = pick(rng, [predictions[0], predictions * 0.5, predictions - 1, predictions.astype(str), None])
    ids = [text(rng) or "x", "b", pick(rng, ["c", "c", "c", "b", 3, None])]
    path = folder / "submission.csv"
    keras_hpa.write_submission(path, ids, predictions)
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["Id", "Predicted"]
    assert [row[0] for row in rows[1:]] == [_without_formula(str(one)) for one in ids]
    read = keras_hpa.parse_labels([row[1] for row in rows[1:]], predictions.shape[1], allow_empty=True)
    np.testing.assert_array_equal(read, predictions.astype(int))


@inputs(24_000)
def test_texts_are_parsed_rightly_or_refused(number):
    feed(_parse_texts, number)


@inputs(14_000)
def test_a_table_is_loaded_rightly_or_refused(number, tmp_path):
    feed(_load_table, number, tmp_path)


@inputs(4_000)
def test_a_submission_is_written_rightly_or_refused(number, tmp_path):
    feed(_write_submission, number, tmp_path)
