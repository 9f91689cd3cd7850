"""What `compare` found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Verdict(NamedTuple):
    """Two models compared by one number; [`compare`](evaluation.md) gives them.

    Attributes:
        a: what the first model scores; of several runs the mean.
        b: what the second scores.
        difference: b less a.
        low: the lower end of the interval of the difference.
        high: the upper end.
        probability_better: that b is better than a, as the draws have it.
        p_value: how often models that are equally good would differ so much; corrected where several are asked.
        needed: how many rows or groups it would take to tell a difference of this size in four of five experiments.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    probability_better: float
    p_value: float
    needed: float


class Comparison:
    """Whether model b is better than model a: in the mean over classes, and class by class.

    Args:
        macro: the mean over the classes.
        per_class: from the name of each class to its verdict; the p-values are corrected after Holm.
        support: how many samples have each class.
        metric: the name of the metric.
        confidence: of the intervals.
        unit: what was drawn, `"rows"` or `"groups"`.
        num_runs: how many trainings there are of each model.
        correction: of the p-value of the mean.

    Example:
        >>> macro = Verdict(0.5, 0.53, 0.03, -0.01, 0.07, 0.93, 0.15, 4000.0)
        >>> comparison = Comparison(macro, {}, [], metric="macro_f1", confidence=0.95, unit="rows")
        >>> comparison.sentence().partition("; ")[2]
        'these rows do not tell which is better; about 4,000 would.'
    """

    def __init__(
        self,
        macro: Verdict,
        per_class: Mapping[str, Verdict],
        support: Sequence[int],
        *,
        metric: str,
        confidence: float,
        unit: str,
        num_runs: tuple[int, int] = (1, 1),
        correction: str | None = None,
    ) -> None:
        self.macro = macro
        self.per_class = dict(per_class)
        self.support = list(support)
        self.metric = metric
        self.confidence = confidence
        self.unit = unit
        self.num_runs = num_runs
        self.correction = correction

    @property
    def verdict(self) -> str:
        """`"better"` or `"worse"`, of b, or `"cannot tell"`."""
        return self._word(self.macro)

    def with_p_value(self, p_value: float, correction: str) -> Comparison:
        """Gives the same comparison as one of several."""
        options = {"metric": self.metric, "confidence": self.confidence, "unit": self.unit, "num_runs": self.num_runs}
        macro = self.macro._replace(p_value=p_value)
        return Comparison(macro, self.per_class, self.support, correction=correction, **options)  # type: ignore[arg-type]

    def sentence(self) -> str:
        """Gives the result as a sentence for the methods section."""
        one, name = self.macro, self.metric.replace("_", " ").replace("f1", "F1").replace("roc auc", "ROC AUC")
        runs = "" if self.num_runs == (1, 1) else f", means of {self.num_runs[1]} and {self.num_runs[0]} trainings"
        corrected = "" if self.correction is None else f", corrected after {self.correction}"
        size = (
            f"{name} is {one.b:.3f} against {one.a:.3f}{runs}: a difference of {one.difference:+.3f} "
            f"({self.confidence:.0%} interval {one.low:+.3f} to {one.high:+.3f}, p = {one.p_value:.2g}{corrected}, "
            f"{self.unit} drawn)"
        )
        if self.verdict != "cannot tell":
            return f"{size}; the second model is {self.verdict}."
        needed = f"; about {one.needed:,.0f} would" if one.needed < 1e9 else ""
        return f"{size}; these {self.unit} do not tell which is better{needed}."

    def _word(self, one: Verdict) -> str:
        if not one.p_value <= 1 - self.confidence or one.low <= 0 <= one.high:
            return "cannot tell"
        return "better" if one.difference > 0 else "worse"

    def __str__(self) -> str:
        width = max(len("class"), *(len(name) for name in self.per_class), 5) if self.per_class else 5
        head = f"{'class':{width}}  {'support':>7}  {'a':>6}  {'b':>6}  {'b - a':>7}  {'low':>7}  {'high':>7}  {'p':>6}"
        rows = [*zip(self.per_class, self.support, self.per_class.values(), strict=True)]
        rows.append(("macro", sum(self.support), self.macro))
        lines = [
            f"{name:{width}}  {support:7d}  {one.a:6.3f}  {one.b:6.3f}  {one.difference:+7.3f}  {one.low:+7.3f}"
            f"  {one.high:+7.3f}  {one.p_value:6.3f}  {self._word(one)}"
            for name, support, one in rows
        ]
        return "\n".join([f"{head}  b is", *lines, self.sentence()])

    def __repr__(self) -> str:
        return str(self)
