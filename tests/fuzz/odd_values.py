"""Values that users and damaged tables bring, most of them nearly right."""

import math
from typing import Any

import numpy as np

TEXTS = ("", " ", "0", "1", "27", "28", "-1", "1.0", "²", "nan", "NaN", "\u202e", "9" * 40, "é", "a b", "A", "a")
NUMBERS = (0, 1, -1, 2, 255, 0.5, 1e-320, 1e-45, 1e3, 1.7e308, float("nan"), float("inf"), -float("inf"), -0.0)
OBJECTS = (np.ones(2), None, True, "x", b"x", [], {}, 1j, np.float16(0.5), np.int64(3), np.bool_(True), object)


def text(rng: np.random.Generator) -> str:
    parts = (*TEXTS, " ", "  ", "\t", "\n", "\0", ",", ";", "|", '"', "\r\n", "\ufeff")
    return "".join(rng.choice(parts, size=rng.integers(0, 7)))


def pick(rng: np.random.Generator, values: Any) -> Any:
    return values[rng.integers(len(values))]


def spoiled(array: np.ndarray, rng: np.random.Generator) -> Any:
    """The array as it is (half of the time), or with a value, a type or a shape that it should not have."""
    array = array.copy()
    match rng.integers(16):
        case 0 | 1:
            if array.size:
                array = array.astype(np.float64)
                array.flat[rng.integers(array.size)] = pick(rng, NUMBERS)
        case 2:
            array = array[: rng.integers(len(array) + 1)]
        case 3:
            array = array.reshape(pick(rng, [(-1,), (*array.shape, 1), array.shape[::-1]]))
        case 4:
            with np.errstate(over="ignore", invalid="ignore"):
                array = array.astype(pick(rng, ["i8", "f2", "?", "u1", "c16", "O", "U5", ">f4"]))
        case 5:
            return np.ma.masked_array(array, rng.random(array.shape) < 0.1)
        case 6:
            return array.tolist()
        case 7:
            return pick(rng, OBJECTS)
        case 8:
            array = np.asfortranarray(array)
            array.setflags(write=False)
    return array


def spoiled_numbers(array: np.ndarray, rng: np.random.Generator) -> Any:
    """As `spoiled`, but numbers still: what Keras turns into a tensor before it comes to us."""
    match rng.integers(6):
        case 0 | 1:
            array = array.astype(np.float32)
            array.flat[rng.integers(array.size)] = pick(rng, [2, 0.5, math.nan, math.inf, -2])
        case 2:
            array = array[: rng.integers(len(array) + 1)]
        case 3:
            array = array.reshape(pick(rng, [(-1,), (*array.shape, 1), array.shape[::-1]]))
        case 4:
            array = array.astype(pick(rng, ["i8", "f2", "?", "u1", "f8"]))
        case 5:
            return pick(rng, [array.tolist(), np.ma.masked_array(array, rng.random(array.shape) < 0.1)])
    return array


def label_matrix(rng: np.random.Generator, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Labels of up to 40 samples and 6 classes, of any balance, some unknown, some classes absent or everywhere."""
    if shape is None:
        shape = rng.integers(0 if rng.random() < 0.05 else 1, 41), rng.integers(0 if rng.random() < 0.05 else 1, 7)
    labels = (rng.random(shape) < rng.choice([0, 0.05, 0.5, 1], size=shape[1])).astype(np.int8)
    if rng.random() < 0.3:
        labels[rng.random(shape) < 0.2] = -1
    return labels
