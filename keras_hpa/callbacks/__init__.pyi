from .cross_fitted_macro_f1 import CrossFittedMacroF1 as CrossFittedMacroF1
from .reduce_lr import ReduceLR as ReduceLR
from .training_backup import TrainingBackup as TrainingBackup
