"""What scores are worth, and how sure that is."""

from keras_hpa.evaluation.evaluate import evaluate as evaluate
from keras_hpa.evaluation.evaluation_table import EvaluationTable as EvaluationTable

__all__ = ["EvaluationTable", "evaluate"]
