"""Losses for many labels, some of them rare."""

from keras_hpa.losses.asymmetric_loss import AsymmetricLoss as AsymmetricLoss
from keras_hpa.losses.binary_crossentropy import BinaryCrossentropy as BinaryCrossentropy
from keras_hpa.losses.check_number import as_floats as as_floats
from keras_hpa.losses.class_balanced_crossentropy import ClassBalancedCrossentropy as ClassBalancedCrossentropy
from keras_hpa.losses.class_balanced_focal_crossentropy import (
    ClassBalancedFocalCrossentropy as ClassBalancedFocalCrossentropy,
)
from keras_hpa.losses.label_weights import label_weights as label_weights
from keras_hpa.losses.macro_f1_loss import MacroF1Loss as MacroF1Loss
from keras_hpa.losses.report_f1 import report_f1 as report_f1
from keras_hpa.losses.symmetric_lovasz_hinge import SymmetricLovaszHinge as SymmetricLovaszHinge
from keras_hpa.losses.weighted_sum_loss import WeightedSumLoss as WeightedSumLoss
