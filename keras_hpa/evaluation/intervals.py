"""Intervals of shares, for independent rows and for groups."""

from typing import NamedTuple

from scipy.special import betaincinv


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
