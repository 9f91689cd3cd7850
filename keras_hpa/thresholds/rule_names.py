"""Rules by name."""

from types import MappingProxyType

from keras_hpa.thresholds.auto_rule import Auto
from keras_hpa.thresholds.calibrated_rule import Calibrated
from keras_hpa.thresholds.fixed_rule import Fixed
from keras_hpa.thresholds.global_rule import Global
from keras_hpa.thresholds.max_f1_rule import MaxF1
from keras_hpa.thresholds.prevalence_rule import Prevalence
from keras_hpa.thresholds.report_grid_rule import ReportGrid
from keras_hpa.thresholds.resampled_rule import Resampled
from keras_hpa.thresholds.rule import Rule
from keras_hpa.thresholds.shrink_rule import Shrink

RULES: MappingProxyType[str, Rule] = MappingProxyType(
    {
        "auto": Auto(),
        "calibrated": Calibrated(),
        "fixed": Fixed(),
        "global": Global(),
        "max_f1": MaxF1(),
        "prevalence": Prevalence(),
        "report": ReportGrid(),
        "resampled_max_f1": Resampled(MaxF1()),
        "resampled_prevalence": Resampled(Prevalence()),
        "shrink": Shrink(),
    }
)
"""What a name stands for."""


def as_rule(rule: str | Rule) -> Rule:
    """The rule that a name stands for, or the rule itself.

    Raises:
        ValueError: if the name is not known.
        TypeError: if it is neither a name nor an object with a method `find_thresholds`.
    """
    if isinstance(rule, str):
        if rule not in RULES:
            raise ValueError(f"`rule` must be one of {', '.join(map(repr, RULES))}, or a rule. Received: {rule!r}")
        return RULES[rule]
    if isinstance(rule, type) or not callable(getattr(rule, "find_thresholds", None)):
        raise TypeError(f"`rule` must be a name or an object with a method `find_thresholds`. Received: {rule!r}")
    return rule
