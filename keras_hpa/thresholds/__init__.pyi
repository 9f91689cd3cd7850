from .apply_thresholds import apply_thresholds as apply_thresholds
from .auto_rule import Auto as Auto
from .binomial import effective_size as effective_size
from .binomial import share_interval as share_interval
from .binomial import student_factor as student_factor
from .calibrated_rule import Calibrated as Calibrated
from .class_scores import ClassScores as ClassScores
from .class_scores import split_classes as split_classes
from .cross_fit import cross_fit as cross_fit
from .cross_fit import cross_fit_predict as cross_fit_predict
from .estimate_prevalence import estimate_prevalence as estimate_prevalence
from .fixed_rule import Fixed as Fixed
from .global_rule import Global as Global
from .log_odds import log_odds as log_odds
from .max_f1_rule import MaxF1 as MaxF1
from .prevalence_estimate import PrevalenceEstimate as PrevalenceEstimate
from .prevalence_rule import Prevalence as Prevalence
from .probability_calibrator import ProbabilityCalibrator as ProbabilityCalibrator
from .probability_layer import ProbabilityLayer as ProbabilityLayer
from .promises import Precision as Precision
from .promises import Recall as Recall
from .promises_rule import Promises as Promises
from .report_grid_rule import ReportGrid as ReportGrid
from .resampled_rule import Resampled as Resampled
from .rule import Rule as Rule
from .score_checks import check_labels as check_labels
from .score_checks import check_scores as check_scores
from .shrink_rule import Shrink as Shrink
from .threshold_calibrator import ThresholdCalibrator as ThresholdCalibrator
from .threshold_layer import ThresholdLayer as ThresholdLayer
from .threshold_report import ThresholdReport as ThresholdReport

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
    "PrevalenceEstimate",
    "ProbabilityCalibrator",
    "ProbabilityLayer",
    "Promises",
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
    "estimate_prevalence",
]
