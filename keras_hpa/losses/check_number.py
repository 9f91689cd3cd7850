"""Numbers among the arguments, checked."""

from numbers import Integral, Real
from typing import Any

LARGEST_GAMMA = 1e6
"""Exponents must lie below; beyond, a weight is 0 however wrong a prediction is, and larger still no number."""


def check_number(name: str, value: Any, *, below: float) -> None:
    """Raises ValueError unless an argument is a number from 0 to what it must lie below."""
    if not (isinstance(value, Real) and 0 <= (value if isinstance(value, Integral) else float(value)) < below):  # type: ignore[operator]
        raise ValueError(f"`{name}` must lie in [0, {below:g}). Received: {value!r}")
