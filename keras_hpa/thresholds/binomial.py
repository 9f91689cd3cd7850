"""Binomial tails and intervals, and how many independent samples groups of samples are worth."""

import numpy as np
import numpy.typing as npt
from scipy.special import betainc, betaincinv, stdtrit
from scipy.stats import norm


def at_least_by_chance(part: float, whole: float, share: float) -> float:
    """The probability of at least `part` of `whole` where each has the probability `share`; both may be broken."""
    return 1.0 if part <= 0 else float(betainc(part, whole - part + 1, share))


def share_interval(part: float, whole: float, confidence: float, *, shift: float = 0.0) -> tuple[float, float]:
    """A share's interval, of Clopper and Pearson (1934), or with a `shift` of .5 of Jeffreys; parts may be broken."""
    if not whole > 0:
        return 0.0, 1.0
    part = min(max(part, 0.0), whole)
    tail, rest = (1 - confidence) / 2, whole - part
    # At the ends of the scale the exact interval is taken: Jeffreys' is too short there.
    low = 0.0 if part <= 0 else float(betaincinv(part + (shift if rest > 0 else 0), rest + 1 - shift, tail))
    high = 1.0 if rest <= 0 else float(betaincinv(part + 1 - shift, rest + (shift if part > 0 else 0), 1 - tail))
    return low, high


def effective_size(
    parts: npt.NDArray[np.float64], wholes: npt.NDArray[np.float64], tail: float, *, prior: float = 3.0
) -> float:
    """How many independent samples tell as much of a share as groups do, of which each has `parts` of `wholes`.

    The variance of the ratio of sums over groups gives the number, and Student's t, at the probability `tail`, corrects
    it for few groups. Where few groups differ from the others they say little of that variance. So `prior` groups'
    worth of evidence is added that the samples of a group are all alike.

    Example:
        >>> round(effective_size(np.array([5.0, 0.0] * 20), np.full(40, 5.0), 0.975))
        37

    References:
        Korn & Graubard, Confidence intervals for proportions with small expected number of positive counts estimated
        from survey data, Survey Methodology 1998.
    """
    counted = wholes > 0
    parts, wholes = parts[counted], wholes[counted]
    if not len(wholes):
        return 0.0
    total = wholes.sum()
    share = parts.sum() / total
    units = total**2 / (wholes**2).sum()  # as many groups of equal size
    informed = float(min((parts > 0).sum(), (parts < wholes).sum()))
    ratio = 1.0
    if 0 < share < 1 and len(wholes) > 1:
        variance = len(wholes) / (len(wholes) - 1) * ((parts - share * wholes) ** 2).sum() / total**2
        ratio = variance * units / (share * (1 - share))
    size = units * (informed + prior) / (informed * ratio + prior)
    return float(min(size, total)) * student_factor(len(wholes) - 1, tail)


def student_factor(degrees: float, tail: float) -> float:
    """What a number of samples shrinks by where the variance was estimated on `degrees` + 1 groups."""
    return float((norm.ppf(tail) / stdtrit(max(degrees, 1.0), tail)) ** 2)
