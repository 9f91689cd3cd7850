from .check_split import check_split as check_split
from .compare import compare as compare
from .comparison import Comparison as Comparison
from .comparison import Verdict as Verdict
from .evaluate import evaluate as evaluate
from .evaluation_table import EvaluationTable as EvaluationTable
from .instance_average_precision import instance_average_precision as instance_average_precision
from .price_of_channels import ChannelPrices as ChannelPrices
from .price_of_channels import price_of_channels as price_of_channels
from .probability_intervals import probability_intervals as probability_intervals
from .probe_scores import probe_scores as probe_scores
from .split_report import Finding as Finding
from .split_report import SplitReport as SplitReport

__all__ = [
    "ChannelPrices",
    "Comparison",
    "EvaluationTable",
    "Finding",
    "SplitReport",
    "Verdict",
    "check_split",
    "compare",
    "evaluate",
    "instance_average_precision",
    "price_of_channels",
    "probability_intervals",
    "probe_scores",
]
