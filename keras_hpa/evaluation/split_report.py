"""What `check_split` found."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]

_MOST_NAMES = 5  # of a finding, when it is printed; its row holds all of them


class Finding(NamedTuple):
    """Something that [`check_split`](evaluation.md) found.

    Attributes:
        check: `"ids"`, `"groups"`, `"near duplicates"`, `"classes"`, `"labels"`, `"sides"` or `"plates"`.
        sentence: what is wrong.
        names: of what: ids, groups, classes or plates.
        advice: what to do.
    """

    check: str
    sentence: str
    names: tuple[str, ...]
    advice: str

    def __str__(self) -> str:
        names = ", ".join(self.names[:_MOST_NAMES])
        more = f" and {len(self.names) - _MOST_NAMES} more" if len(self.names) > _MOST_NAMES else ""
        return f"{self.sentence}{': ' if names else ''}{names}{more}. {self.advice}"


class SplitReport:
    """Whether a test set may judge what was trained on a training set; `print` it to read it.

    Args:
        num_train: how many samples there are to train on.
        num_test: how many to test on.
        findings: what is wrong, the worst first.
        rows: what was measured, whether or not it is wrong: mappings with `check`, `name`, `train` and `test` (samples
            on each side), `value` (a difference of shares, or an AUC), `chance` (the AUC that chance reaches) and
            `p_value`.
        left_out: checks that could not be made, and why.

    Example:
        >>> print(SplitReport(80, 20, [], []))
        80 samples to train on, 20 to test on: nothing was found that speaks against this split.
    """

    def __init__(
        self,
        num_train: int,
        num_test: int,
        findings: Sequence[Finding],
        rows: Sequence[Mapping[str, Any]],
        left_out: Sequence[str] = (),
    ) -> None:
        self.num_train = num_train
        self.num_test = num_test
        self.findings = tuple(findings)
        self.rows = [dict(row) for row in rows]
        self.left_out = tuple(left_out)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_frame(self) -> pandas.DataFrame:
        """Gives what was measured as a data frame, one row for each id, group, class or plate that was looked at."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("`to_frame` needs pandas: pip install pandas. Received: no pandas") from error
        return pandas.DataFrame(self.rows, columns=["check", "name", "train", "test", "value", "chance", "p_value"])

    def __str__(self) -> str:
        told = f"{len(self.findings)} things to look at" if len(self.findings) > 1 else "one thing to look at"
        told = f"{told}." if self.findings else "nothing was found that speaks against this split."
        lines = [f"{self.num_train} samples to train on, {self.num_test} to test on: {told}"]
        lines += [f"- {finding}" for finding in self.findings]
        lines += [f"Not looked at: {'; '.join(self.left_out)}."] if self.left_out else []
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)
