"""From scores to labels: one threshold per class, found by a rule.

A rule is an object with its own options, or a name that stands for its defaults:

| name | rule |
| --- | --- |
| `"auto"` | `Auto()` |
| `"calibrated"` | `Calibrated()` |
| `"fixed"` | `Fixed(0.5)` |
| `"global"` | `Global()` |
| `"max_f1"` | `MaxF1()` |
| `"prevalence"` | `Prevalence()` |
| `"report"` | `ReportGrid()` |
| `"resampled_max_f1"` | `Resampled(MaxF1())` |
| `"resampled_prevalence"` | `Resampled(Prevalence())` |
| `"shrink"` | `Shrink()` |

`Precision(at_least=0.9)` and `Recall(at_least=0.9)` promise so much on new data, and are given as objects.

A rule of your own is a class with one method; see `Rule`.
"""

from keras_hpa.thresholds.apply_thresholds import apply_thresholds as apply_thresholds
from keras_hpa.thresholds.auto_rule import Auto as Auto
from keras_hpa.thresholds.binomial import effective_size as effective_size
from keras_hpa.thresholds.binomial import student_factor as student_factor
from keras_hpa.thresholds.calibrated_rule import Calibrated as Calibrated
from keras_hpa.thresholds.class_scores import ClassScores as ClassScores
from keras_hpa.thresholds.class_scores import split_classes as split_classes
from keras_hpa.thresholds.cross_fit import cross_fit as cross_fit
from keras_hpa.thresholds.cross_fit import cross_fit_predict as cross_fit_predict
from keras_hpa.thresholds.fixed_rule import Fixed as Fixed
from keras_hpa.thresholds.global_rule import Global as Global
from keras_hpa.thresholds.log_odds import log_odds as log_odds
from keras_hpa.thresholds.max_f1_rule import MaxF1 as MaxF1
from keras_hpa.thresholds.prevalence_rule import Prevalence as Prevalence
from keras_hpa.thresholds.promises import Precision as Precision
from keras_hpa.thresholds.promises import Recall as Recall
from keras_hpa.thresholds.report_grid_rule import ReportGrid as ReportGrid
from keras_hpa.thresholds.resampled_rule import Resampled as Resampled
from keras_hpa.thresholds.rule import Rule as Rule
from keras_hpa.thresholds.score_checks import check_labels as check_labels
from keras_hpa.thresholds.score_checks import check_scores as check_scores
from keras_hpa.thresholds.shrink_rule import Shrink as Shrink
from keras_hpa.thresholds.threshold_calibrator import ThresholdCalibrator as ThresholdCalibrator
from keras_hpa.thresholds.threshold_layer import ThresholdLayer as ThresholdLayer
from keras_hpa.thresholds.threshold_report import ThresholdReport as ThresholdReport

# What is public; the others are for rooms that come later.
__all__ = [
    "Auto",
    "Calibrated",
    "ClassScores",
    "Fixed",
    "Global",
    "MaxF1",
    "Precision",
    "Prevalence",
    "Recall",
    "ReportGrid",
    "Resampled",
    "Rule",
    "Shrink",
    "ThresholdCalibrator",
    "ThresholdLayer",
    "ThresholdReport",
    "cross_fit",
    "cross_fit_predict",
]
