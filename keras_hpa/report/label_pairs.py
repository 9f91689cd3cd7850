"""Which labels occur together, in the labels and in the predictions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_MOST_CLASSES_IN_HEAT_MAP = 40
_LONGEST_NAME = 30  # in pictures


def count_pairs(labels: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """How many samples have both of two labels, in truth and as predicted: shape (2, classes, classes)."""
    return np.stack([have.T @ have for have in ((labels == 1).astype(np.float64), predicted.astype(np.float64))])


def draw_heat_maps(rows: Sequence[dict[str, Any]], pairs: npt.NDArray[np.float64]) -> list[dict[str, object]]:
    """How many of the samples with one label have another too, as squares to draw: labels, and predictions."""
    common = sorted(rows, key=lambda row: -max(row["support"], row["predicted"]))[:_MOST_CLASSES_IN_HEAT_MAP]
    order = sorted(row["number"] for row in common if row["support"] or row["predicted"])
    names = [rows[number]["class"] for number in order]
    heat_maps: list[dict[str, object]] = []
    for words, counts in zip(("true", "predicted"), pairs, strict=True):
        squares = []
        for y, one in enumerate(order):
            for x, other in enumerate(order):
                if one != other and counts[one, other]:
                    told = f"{counts[one, other]:.0f} of {counts[one, one]:.0f} with {names[y]}: {names[x]} too"
                    squares.append({"x": x, "y": y, "share": counts[one, other] / counts[one, one], "words": told})
        heat_maps.append({"words": words, "names": list(map(shortened, names)), "squares": squares})
    return heat_maps


def shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def most_different(pairs: npt.NDArray[np.float64], num_pairs: int = 8) -> list[tuple[int, int, float, float]]:
    true, predicted = pairs
    ones, others = np.triu_indices(len(true), 1)
    difference = np.abs(true - predicted)[ones, others]
    order = [place for place in np.argsort(-difference, kind="stable")[:num_pairs] if difference[place]]
    return [(i, j, true[i, j], predicted[i, j]) for i, j in zip(ones[order], others[order], strict=True)]
