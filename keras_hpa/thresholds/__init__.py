"""From scores to labels: one threshold per class."""

from keras_hpa.thresholds.class_scores import split_classes as split_classes
from keras_hpa.thresholds.log_odds import log_odds as log_odds
from keras_hpa.thresholds.score_checks import check_labels as check_labels
from keras_hpa.thresholds.score_checks import check_scores as check_scores
from keras_hpa.thresholds.threshold_calibrator import ThresholdCalibrator as ThresholdCalibrator
from keras_hpa.thresholds.threshold_layer import ThresholdLayer as ThresholdLayer
from keras_hpa.thresholds.threshold_report import ThresholdReport as ThresholdReport
