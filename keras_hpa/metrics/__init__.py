"""Metrics for many labels, some of them rare."""

from keras_hpa.metrics.batch_macro_f1 import BatchMacroF1 as BatchMacroF1
from keras_hpa.metrics.macro_f1 import MacroF1 as MacroF1
from keras_hpa.metrics.round_up import round_up as round_up
