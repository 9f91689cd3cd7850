"""What is unusual about a class, for `flags_`."""

import numpy as np
import numpy.typing as npt

from keras_hpa.thresholds.class_scores import ClassScores
from keras_hpa.thresholds.rule import Rule

FEW_POSITIVES = 10


def find_flags(rule: Rule, classes: list[ClassScores]) -> list[tuple[str, ...]]:
    """The flags of each class, with those that the rule adds."""
    flags = [_find_flags(one, getattr(rule, "min_support", 1)) for one in classes]
    if hasattr(rule, "find_flags"):
        flags = [own + more for own, more in zip(flags, rule.find_flags(classes), strict=True)]
    return flags


def find_lower_thresholds(rule: Rule, classes: list[ClassScores]) -> npt.NDArray[np.float64] | None:
    """Below which a class is denied, of a rule that says so."""
    return rule.find_lower_thresholds(classes) if hasattr(rule, "find_lower_thresholds") else None


def _find_flags(scores: ClassScores, min_support: int) -> tuple[str, ...]:
    if not len(scores.scores):
        return ("no known labels",)
    found = {
        "no positives": not scores.num_positives,
        "few positives": 0 < scores.num_positives < FEW_POSITIVES,
        "no negatives": scores.num_positives == len(scores.scores),
        "constant scores": scores.scores[0] == scores.scores[-1],
        "global threshold": 0 < scores.num_positives < min_support,
    }
    return tuple(name for name, holds in found.items() if holds)
