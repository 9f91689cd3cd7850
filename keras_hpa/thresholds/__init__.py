"""From scores to labels: one threshold per class."""

from keras_hpa.thresholds.threshold_calibrator import ThresholdCalibrator as ThresholdCalibrator
from keras_hpa.thresholds.threshold_layer import ThresholdLayer as ThresholdLayer
from keras_hpa.thresholds.threshold_report import ThresholdReport as ThresholdReport
