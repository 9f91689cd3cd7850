"""Intervals of shares, for independent rows and for groups."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, stdtrit
from scipy.stats import norm

_PRIOR_UNITS = 3.0  # as many groups' worth of evidence says that rows of one group are all alike


class Interval(NamedTuple):
    """A lower and an upper end, and how they were found."""

    low: float
    high: float
    method: str


NOT_ENOUGH = "not enough"


def exact_interval(part: float, whole: float, confidence: float) -> Interval:
    """The interval of Clopper and Pearson (1934), which holds at any number of rows; the parts may be broken."""
    return Interval(*_beta_ends(part, whole, confidence, 0.0), "exact binomial")


def mid_interval(part: float, whole: float, confidence: float) -> Interval:
    """The interval of Jeffreys, which holds on average over shares where the exact one is always too wide."""
    return Interval(*_beta_ends(part, whole, confidence, 0.5), "Jeffreys")


def _beta_ends(part: float, whole: float, confidence: float, shift: float) -> tuple[float, float]:
    if not whole > 0:
        return 0.0, 1.0
    part = min(max(part, 0.0), whole)
    tail, rest = (1 - confidence) / 2, whole - part
    # At the ends of the scale the exact interval is taken: Jeffreys' is too short there.
    low = 0.0 if part <= 0 else float(betaincinv(part + (shift if rest > 0 else 0), rest + 1 - shift, tail))
    high = 1.0 if rest <= 0 else float(betaincinv(part + 1 - shift, rest + (shift if part > 0 else 0), 1 - tail))
    return low, high


def effective_size(
    parts: npt.NDArray[np.float64], wholes: npt.NDArray[np.float64], confidence: float
) -> tuple[float, float]:
    """How many independent rows tell as much as the groups do, and the share that they have.

    Korn & Graubard (1998): the variance of the ratio of sums over groups gives the number of rows, and Student's t
    corrects it for few groups. Few groups that differ from the others say little of that variance. So as many groups'
    worth of evidence as `_PRIOR_UNITS` is added that the rows of a group are all alike.
    """
    counted = wholes > 0
    parts, wholes = parts[counted], wholes[counted]
    if not len(wholes):
        return 0.0, np.nan
    share = parts.sum() / wholes.sum()
    units = wholes.sum() ** 2 / (wholes**2).sum()  # as many groups of equal size
    informed = float(min((parts > 0).sum(), (parts < wholes).sum()))
    ratio = 1.0
    if 0 < share < 1 and len(wholes) > 1:
        residuals = parts - share * wholes
        variance = len(wholes) / (len(wholes) - 1) * (residuals**2).sum() / wholes.sum() ** 2
        ratio = variance * units / (share * (1 - share))
    size = units * (informed + _PRIOR_UNITS) / (informed * ratio + _PRIOR_UNITS)
    size = min(size, wholes.sum())
    return size * student_factor(len(wholes) - 1, confidence), share


def student_factor(degrees: float, confidence: float) -> float:
    """What a number of rows shrinks by where the variance was estimated on `degrees` + 1 groups."""
    tail = (1 + confidence) / 2
    return float((norm.ppf(tail) / stdtrit(max(degrees, 1.0), tail)) ** 2)
