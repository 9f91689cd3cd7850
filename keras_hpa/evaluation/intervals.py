"""Intervals of shares, for independent rows and for groups."""

from typing import NamedTuple

from keras_hpa.thresholds import share_interval


class Interval(NamedTuple):
    """A lower and an upper end, and how they were found."""

    low: float
    high: float
    method: str


NOT_ENOUGH = "not enough"


def exact_interval(part: float, whole: float, confidence: float) -> Interval:
    """The interval of Clopper and Pearson (1934), which holds at any number of rows; the parts may be broken."""
    return Interval(*share_interval(part, whole, confidence), "exact binomial")


def mid_interval(part: float, whole: float, confidence: float) -> Interval:
    """The interval of Jeffreys, which holds on average over shares where the exact one is always too wide."""
    return Interval(*share_interval(part, whole, confidence, shift=0.5), "Jeffreys")
