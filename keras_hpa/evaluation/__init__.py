"""What scores are worth, which of two models is better, and how sure that is."""

from keras_hpa.evaluation.compare import compare as compare
from keras_hpa.evaluation.comparison import Comparison as Comparison
from keras_hpa.evaluation.comparison import Verdict as Verdict
from keras_hpa.evaluation.evaluate import evaluate as evaluate
from keras_hpa.evaluation.evaluation_table import EvaluationTable as EvaluationTable

__all__ = ["Comparison", "EvaluationTable", "Verdict", "compare", "evaluate"]
