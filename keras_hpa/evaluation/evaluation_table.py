"""The table that `evaluate` gives: for programs, spreadsheets, browsers and people."""

from __future__ import annotations

import html
import importlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_hpa.evaluation.estimates import METRICS
from keras_hpa.files import write_bytes, write_csv

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    from matplotlib.figure import Figure

_SHOWN = ("average_precision", "roc_auc", "f1", "precision", "recall")


class EvaluationTable:
    """One row per class, then `macro` (the mean over classes) and `micro` (all scores in one).

    Each row has the columns `class`, `support` (positives), `groups` (those that hold a positive; without groups,
    rows), `threshold`, and for each metric its value, `_low` and `_high`, the ends of its interval, and `_method`, how
    they were found. What is 0 / 0 is NaN with the method `"not defined"`; where too few positives exist for an
    interval, its ends are NaN and the method is `"not enough"`.

    Args:
        rows: the rows; those of the classes come first.
        num_classes: how many rows are classes.
        confidence: of the intervals.
        unit: what was drawn, `"group"` or `"row"`.

    Example:
        >>> from keras_hpa.evaluation import evaluate
        >>> table = evaluate([[0.9], [0.2], [0.7]], [[1], [0], [1]], class_names=["Cytosol"])
        >>> row = table.rows[0]
        >>> row["recall"], round(row["recall_low"], 3), row["recall_high"], row["recall_method"]
        (1.0, 0.158, 1.0, 'exact binomial')
    """

    def __init__(
        self, rows: Sequence[Mapping[str, Any]], *, num_classes: int, confidence: float = 0.95, unit: str = "row"
    ) -> None:
        self.rows = [dict(row) for row in rows]
        self.num_classes = num_classes
        self.confidence = confidence
        self.unit = unit

    def __getitem__(self, name: str) -> dict[str, Any]:
        """Gives the row of a class, or of `"macro"` or `"micro"`."""
        for row in reversed(self.rows) if name in ("macro", "micro") else self.rows:
            if row["class"] == name:
                return row
        raise KeyError(f"`name` must be one of {[row['class'] for row in self.rows]}. Received: {name!r}")

    def to_frame(self) -> pandas.DataFrame:
        """Gives the table as a data frame, indexed by class."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("`to_frame` needs pandas: pip install pandas. Received: no pandas") from error
        return pandas.DataFrame(self.rows).set_index("class")

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Writes the table, whole or not at all; what is not defined is an empty cell."""
        columns = list(self.rows[0])
        write_csv(path, [columns, *([_cell(row[name]) for name in columns] for row in self.rows)])

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """Gives the table as HTML, each value over its interval; the method shows when it is pointed at."""
        head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in ("class", "support", "groups", *METRICS))
        body = "\n".join(f"<tr>{_html_cells(row)}</tr>" for row in self.rows)
        text = (
            f'<table class="evaluation">\n<caption>{self._caption()}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n"
        )
        if path is not None:
            page = f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Evaluation</title>\n{text}</html>\n'
            write_bytes(path, page.encode())
        return text

    def plot(self, metric: str = "average_precision") -> Figure:
        """Draws a metric of every row with its interval, the classes in their order."""
        if metric not in METRICS:
            raise ValueError(f"`metric` must be one of {', '.join(METRICS)}. Received: {metric!r}")
        try:
            figure_module = importlib.import_module("matplotlib.figure")
        except ImportError as error:
            raise ImportError("Figures need Matplotlib: pip install 'keras-hpa[plots]'") from error
        figure = figure_module.Figure(figsize=(6, 1.2 + 0.24 * len(self.rows)), layout="constrained", dpi=120)
        axes = figure.subplots()
        value, low, high = (np.array([row[metric + end] for row in self.rows]) for end in ("", "_low", "_high"))
        places = np.arange(len(self.rows))
        axes.hlines(places, low, high, color="0.6", linewidth=2)
        axes.plot(value, places, "o", color="#0072B2", markersize=4)
        labels = [f"{row['class']} ({row['support']})" for row in self.rows]
        axes.set_yticks(places, labels, parse_math=False, fontsize=8)
        axes.axhline(self.num_classes - 0.5, color="0.85", linewidth=1)
        axes.set(xlim=(-0.02, 1.02), ylim=(len(self.rows) - 0.4, -0.6), title=metric.replace("_", " "))
        axes.set_xlabel(self._caption())
        axes.spines[["top", "right"]].set_visible(False)
        return figure

    def _caption(self) -> str:
        drawn = "groups" if self.unit == "group" else "rows as if each were independent"
        return f"{self.confidence:.0%} intervals over {drawn}"

    def __str__(self) -> str:
        width = max(len("class"), *(len(row["class"]) for row in self.rows))
        lines = [f"{'class':{width}}  {'support':>7}  " + "  ".join(f"{name:<18}" for name in _SHOWN).rstrip()]
        for row in self.rows:
            cells = "  ".join(f"{_text(row, name):<18}" for name in _SHOWN)
            lines.append(f"{row['class']:{width}}  {row['support']:7d}  {cells}".rstrip())
        return "\n".join([*lines, self._caption()])

    def __repr__(self) -> str:
        return str(self)


def _text(row: Mapping[str, Any], name: str) -> str:
    value, low, high = (row[name + end] for end in ("", "_low", "_high"))
    if value != value:
        return "-"
    return f"{value:.3f} not enough" if low != low else f"{value:.3f} {low:.3f}-{high:.3f}"


def _cell(value: Any) -> Any:
    return "" if isinstance(value, float) and value != value else value


def _html_cells(row: Mapping[str, Any]) -> str:
    cells = [f"<th>{html.escape(row['class'])}</th>", f"<td>{row['support']}</td>", f"<td>{row['groups']}</td>"]
    for name in METRICS:
        value, _, interval = _text(row, name).partition(" ")
        method = html.escape(row[f"{name}_method"], quote=True)
        cells.append(f'<td title="{method}">{value}<br><small>{interval.replace("-", "–")}</small></td>')
    return "".join(cells)
