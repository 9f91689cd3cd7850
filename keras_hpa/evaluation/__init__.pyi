from .compare import compare as compare
from .comparison import Comparison as Comparison
from .comparison import Verdict as Verdict
from .evaluate import evaluate as evaluate
from .evaluation_table import EvaluationTable as EvaluationTable

__all__ = ["Comparison", "EvaluationTable", "Verdict", "compare", "evaluate"]
