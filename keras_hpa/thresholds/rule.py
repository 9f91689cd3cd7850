"""What a threshold rule is, and the checks of its options."""

import math
import operator
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from keras_hpa.floats import as_floats
from keras_hpa.thresholds.class_scores import ClassScores


class Rule(Protocol):
    """Finds one threshold per class. A rule of your own is any class with this method.

    Thresholds are in the unit of the scores: probabilities, or logits where `ClassScores.from_logits` is true. A class
    is predicted where `score >= threshold`; infinity is never passed.

    A rule with a method `find_flags(classes)`, a tuple of texts for each class, adds them to `flags_`. One that weighs
    recall against precision has an attribute `beta`; without one, F1 is reported. Make the class a
    frozen dataclass, and calibrators that hold it can be compared, cloned and searched over by scikit-learn.

    Example:
        >>> from dataclasses import dataclass
        >>> from keras_hpa import ThresholdCalibrator
        >>> @dataclass(frozen=True)
        ... class Recall:
        ...     at_least: float = 0.9
        ...
        ...     def find_thresholds(self, classes):
        ...         share = 1 - self.at_least
        ...         return [np.quantile(c.positive_scores, share) if c.num_positives else np.inf for c in classes]
        >>> scores, labels = np.array([[0.9], [0.8], [0.3], [0.2]]), np.array([[1], [1], [1], [0]])
        >>> ThresholdCalibrator(Recall(at_least=0.5)).fit(scores, labels).thresholds_.tolist()
        [0.8]
    """

    def find_thresholds(self, classes: Sequence[ClassScores]) -> npt.ArrayLike:
        """Returns one threshold per class. A class may have no positives, or no known labels at all."""
        ...


def where_present(
    classes: Sequence[ClassScores], find: Callable[[list[ClassScores]], npt.ArrayLike]
) -> npt.NDArray[np.float64]:
    """What `find` returns for the classes that have positives; infinity for the others."""
    thresholds = np.full(len(classes), np.inf)
    present = np.array([one.num_positives > 0 for one in classes])
    if present.any():
        thresholds[present] = find([one for one in classes if one.num_positives])
    return thresholds


def check_positive(name: str, value: Any) -> None:
    """Raises ValueError unless the option is a finite number above 0."""
    if not (isinstance(value, Real) and 0 < value < math.inf and math.log10(value) < 100):  # type: ignore[operator]
        raise ValueError(f"`{name}` must be finite and more than 0. Received: {value!r}")


def check_whole(name: str, value: Any, *, lowest: int) -> None:
    """Raises ValueError unless the option is a whole number, at least the lowest."""
    if not isinstance(value, Integral) or operator.index(value) < lowest:
        raise ValueError(f"`{name}` must be a whole number, at least {lowest}. Received: {value!r}")


def check_per_class(name: str, value: Any, *, highest: float) -> float | tuple[float, ...]:
    """Returns one number, or a tuple of one per class.

    Raises:
        ValueError: if the option is neither, or a number is not in 0 to the highest.
    """
    numbers = as_floats(value)
    if numbers.ndim > 1 or not numbers.size or not ((numbers >= 0) & (numbers <= highest)).all():
        raise ValueError(f"`{name}` must hold numbers from 0 to {highest}, one or one per class. Received: {value!r}")
    return tuple(numbers.tolist()) if numbers.ndim else float(numbers)


def per_class(name: str, value: float | tuple[float, ...], num_classes: int) -> npt.NDArray[np.float64]:
    """The option as an array of one number per class.

    Raises:
        ValueError: if it holds another number of them.
    """
    if isinstance(value, tuple) and len(value) != num_classes:
        raise ValueError(f"`{name}` must hold one number for each of {num_classes} classes. Received: {len(value)}")
    return np.broadcast_to(np.asarray(value, np.float64), num_classes).copy()
