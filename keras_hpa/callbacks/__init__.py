"""Callbacks: the learning rate, and a training that can be taken up again."""

from keras_hpa.callbacks.cross_fitted_macro_f1 import CrossFittedMacroF1 as CrossFittedMacroF1
from keras_hpa.callbacks.reduce_lr import ReduceLR as ReduceLR
from keras_hpa.callbacks.training_backup import TrainingBackup as TrainingBackup
