import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from keras_hpa import atlas, format_labels, parse_labels


def test_order_of_labels_does_not_matter():
    np.testing.assert_array_equal(parse_labels(["16 0", "0  16 "], 28), np.eye(28)[[0, 0]] + np.eye(28)[[16, 16]])


@given(arrays(np.uint8, st.tuples(st.integers(0, 5), st.integers(1, 30)), elements=st.integers(0, 1)))
def test_format_and_parse_are_inverse(matrix):
    texts = format_labels(matrix)
    np.testing.assert_array_equal(parse_labels(texts, matrix.shape[1], allow_empty=True), matrix)


def test_names_round_trip_through_another_separator():
    matrix = np.eye(28, dtype=np.uint8)[[3, 14]] | np.eye(28, dtype=np.uint8)[[27, 0]]
    texts = format_labels(matrix, "|", class_names=atlas.CLASS_NAMES)
    assert texts[0] == "Nucleoli fibrillar center|Rods & rings"
    upper = [text.upper() for text in texts]
    np.testing.assert_array_equal(parse_labels(upper, atlas.CLASS_NAMES, separator="|"), matrix)


def test_numbers_are_read_beside_names():
    np.testing.assert_array_equal(parse_labels(["b,0"], ["a", "B"], separator=","), [[1, 1]])


@pytest.mark.parametrize("text", ["", "  ", None, float("nan"), np.float32("nan")])
def test_empty_row_is_an_error_unless_allowed(text):
    assert parse_labels([text], 3, allow_empty=True).sum() == 0
    with pytest.raises(ValueError, match=r"allow_empty.*row 1 \(id 'b'\)"):
        parse_labels(["0", text], 3, ids=["a", "b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3", r"0 to 2.*'3' in row 1 \(id 'b'\)"),
        ("-1", r"whole number.*'-1' in row 1 \(id 'b'\)"),
        ("1.0", r"whole number.*'1.0' in row 1 \(id 'b'\)"),
        ("²", r"whole number.*'²' in row 1 \(id 'b'\)"),
        ("9" * 5000, r"whole number.*in row 1 \(id 'b'\)"),
        ("1 2 1", r"repeated.*'1' twice in row 1 \(id 'b'\)"),
        ("golgi", r"whole number.*'golgi' in row 1 \(id 'b'\)"),
    ],
)
def test_wrong_label_names_row_and_id(text, message):
    with pytest.raises(ValueError, match=message):
        parse_labels(["0", text], 3, ids=["a", "b"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ids": ["a", "b"]}, "2 ids, 1 texts"),
        ({"separator": ""}, "separator"),
        ({"classes": 0}, "`classes`.*0"),
        ({"classes": []}, "`classes`"),
        ({"classes": True}, "`classes`.*True"),
        ({"classes": 2.0}, "`classes`.*2.0"),
        ({"classes": "Golgi"}, "`classes`.*'Golgi'"),
        ({"classes": ["a", "A"]}, "'A' twice"),
        ({"classes": ["a", 1]}, "`class_names` must be texts.*1"),
        ({"classes": ["b"], "separator": "|"}, "a whole number or a name.*'x'"),
        ({"texts": "0 1"}, "`texts`.*'0 1'"),
    ],
)
def test_wrong_argument_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        parse_labels(**({"texts": ["x"], "classes": 28} | arguments))


@pytest.mark.parametrize(
    ("matrix", "arguments", "message"),
    [
        ([0, 1], {}, "shape"),
        ([[0, 2]], {}, "Received: .*2"),
        ([[0, 1]], {"class_names": ["a"]}, r"\(num_samples, 1\)"),
        ([[0, 1]], {"class_names": ["a b", "c"]}, "'a b'"),
    ],
)
def test_wrong_matrix_is_named(matrix, arguments, message):
    with pytest.raises(ValueError, match=message):
        format_labels(matrix, **arguments)
