from .batch_macro_f1 import BatchMacroF1 as BatchMacroF1
from .macro_f1 import MacroF1 as MacroF1
from .mean_average_precision import MeanAveragePrecision as MeanAveragePrecision
