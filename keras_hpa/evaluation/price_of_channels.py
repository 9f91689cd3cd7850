"""What each stain is worth: the score of a model when channels are missing."""

from __future__ import annotations

import functools
import importlib
import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.data import SYMMETRIES, MultiChannelSequence, Samples, apply_symmetry
from keras_hpa.evaluation.compare import Metric, compare
from keras_hpa.evaluation.comparison import Comparison, Verdict
from keras_hpa.evaluation.paired_draws import COUNTED
from keras_hpa.inference import batches_for, predict_scores
from keras_hpa.thresholds import Rule, ThresholdCalibrator, cross_fit_predict

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    from matplotlib.figure import Figure


class ChannelPrices:
    """What a model scores with some of its channels dark, against all of them.

    Args:
        channels: the names of all channels.
        comparisons: from the channels that were there to the comparison with all of them: `b` is without the others.
        metric: the name of the metric.

    Example:
        >>> without = Comparison(Verdict(0.5, 0.45, -0.05, -0.08, -0.02, 0.0, 0.01, 90.0), {}, [], metric="macro_f1",
        ...     confidence=0.95, unit="rows")
        >>> prices = ChannelPrices(["nucleus", "protein"], {("protein",): without}, metric="macro_f1")
        >>> print(prices.sentence())
        Without nucleus macro F1 falls by 0.050 (0.020 to 0.080), from 0.500 to 0.450.
    """

    def __init__(
        self, channels: Sequence[str], comparisons: Mapping[tuple[str, ...], Comparison], *, metric: str
    ) -> None:
        self.channels = tuple(channels)
        self.comparisons = dict(comparisons)
        self.metric = metric

    def __getitem__(self, present: Iterable[str]) -> Comparison:
        """Gives the comparison of the channels `present` with all of them."""
        wanted = {present} if isinstance(present, str) else set(present)
        for channels, comparison in self.comparisons.items():
            if set(channels) == wanted:
                return comparison
        raise KeyError(f"`present` must be one of {list(self.comparisons)}. Received: {sorted(wanted)}")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each set of channels and each class, the mean over classes, `macro`, first."""
        rows = []
        for present, comparison in self.comparisons.items():
            named = {"macro": comparison.macro} | comparison.per_class
            for name, one in named.items():
                rows.append(
                    {
                        "channels": "+".join(present),
                        "missing": "+".join(self._missing(present)),
                        "class": name,
                        "all_channels": one.a,
                        self.metric.removeprefix("macro_"): one.b,
                        "difference": one.difference,
                        "difference_low": one.low,
                        "difference_high": one.high,
                    }
                )
        return rows

    def to_frame(self) -> pandas.DataFrame:
        """Gives the rows as a data frame."""
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            raise ImportError("`to_frame` needs pandas: pip install pandas. Received: no pandas") from error
        return pandas.DataFrame(self.rows)

    def sentence(self) -> str:
        """Says what the loss of each single channel costs, the dearest first."""
        single = [(self._missing(present)[0], one) for present, one in self._by_price() if self._is_single(present)]
        return " ".join(
            f"Without {name} {_metric_name(self.metric)} {_change(one.macro)}, from {one.macro.a:.3f} to "
            f"{one.macro.b:.3f}."
            for name, one in single
        )

    def plot(self) -> Figure:
        """Draws the score of each set of channels with the interval of its difference from all of them."""
        try:
            figure_module = importlib.import_module("matplotlib.figure")
        except ImportError as error:
            raise ImportError("Figures need Matplotlib: pip install 'keras-hpa[plots]'") from error
        ordered = self._by_price()[::-1]
        figure = figure_module.Figure(figsize=(6.5, 1.2 + 0.28 * len(ordered)), layout="constrained", dpi=120)
        axes = figure.subplots()
        places = np.arange(len(ordered))
        macros = [one.macro for _, one in ordered]
        axes.axvline(macros[0].a, color="0.6", linewidth=1, linestyle="--", label="all channels")
        axes.hlines(
            places, [one.a + one.low for one in macros], [one.a + one.high for one in macros], color="0.6", lw=2
        )
        axes.plot([one.b for one in macros], places, "o", color="#0072B2", markersize=4)
        axes.set_yticks(places, [" + ".join(present) for present, _ in ordered], parse_math=False, fontsize=8)
        axes.set(ylim=(len(ordered) - 0.4, -0.6), xlabel=_metric_name(self.metric))
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
        return figure

    def _missing(self, present: Sequence[str]) -> list[str]:
        return [channel for channel in self.channels if channel not in present]

    def _is_single(self, present: Sequence[str]) -> bool:
        return len(self._missing(present)) == 1

    def _by_price(self) -> list[tuple[tuple[str, ...], Comparison]]:
        return sorted(self.comparisons.items(), key=lambda item: item[1].macro.difference)

    def __str__(self) -> str:
        names = [" + ".join(present) for present in self.comparisons]
        width = max(map(len, ["channels", *names]))
        lines = [f"{'channels':{width}}  {_metric_name(self.metric):>24}  {'difference from all':>20}"]
        for present, one in self._by_price()[::-1]:
            macro = one.macro
            lines.append(
                f"{' + '.join(present):{width}}  {macro.b:24.3f}  {macro.difference:+.3f} {macro.low:+.3f} to "
                f"{macro.high:+.3f}"
            )
        return "\n".join([*lines, self.sentence()]).rstrip()

    def __repr__(self) -> str:
        return str(self)


def price_of_channels(
    model: keras.Model,
    samples: Samples | MultiChannelSequence,
    *,
    metric: Metric = "macro_f1",
    subsets: Iterable[Iterable[str]] | None = None,
    rule: str | Rule | ThresholdCalibrator = "auto",
    transforms: Literal["dihedral"] | None = None,
    groups: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    verbose: int | str = "auto",
) -> ChannelPrices:
    """Says what a model scores when stains are missing: for each set of channels, with the others dark.

    Before an experiment it says which stain could be saved ("without ER, Golgi loses .04"); of a model it says what it
    looks at. A network that never saw a missing channel is judged outside of what it knows: train it with
    [`ChannelDropout`](ChannelDropout.md) if channels will be missing. Thresholds are fitted anew for every set, each
    half of the samples predicted at those of the other, so that no set gets those of another.

    Samples are read once for every set of channels: pack what is read slowly.

    Args:
        model: a model of images with one score per class.
        samples: `Samples` with labels, which are read at the size and type that the model takes, or their batches.
        metric: `"macro_f1"`, `"macro_precision"` or `"macro_recall"`, at cross-fitted thresholds; or
            `"macro_average_precision"` or `"macro_roc_auc"`, of scores.
        subsets: the sets of channels that are present, by name; all that are not empty unless given.
        rule: how thresholds are fitted, as for [`cross_fit`](thresholds.md).
        transforms: `"dihedral"` averages scores over all eight symmetries.
        groups: what another experiment would draw anew; those of `samples` unless given.
        confidence: of the intervals.
        seed: of the halves and draws.
        verbose: 1 or `"auto"` shows a progress bar for each set, 0 does not.

    Returns:
        `ChannelPrices`: a table, a figure and sentences.

    Raises:
        TypeError: if `samples` is neither `Samples` nor a sequence.
        ValueError: if there are no labels, or a set names a channel that samples do not have.

    Example:
        >>> import keras_hpa
        >>> samples = keras_hpa.SyntheticAtlas(12, image_size=64).samples
        >>> model = keras_hpa.GapNet((64, 64, 4), 28)
        >>> prices = price_of_channels(
        ...     model, samples, metric="macro_roc_auc", subsets=[["green"], ["green", "blue"]], verbose=0
        ... )
        >>> list(prices.comparisons)
        [('green',), ('green', 'blue')]
    """
    if not isinstance(samples, Samples | MultiChannelSequence):
        raise TypeError(f"`samples` must be `Samples` or their batches. Received: {type(samples).__name__}")
    sequence = samples if isinstance(samples, MultiChannelSequence) else batches_for(model, samples)
    source = sequence.source
    if sequence.labels is None:
        raise ValueError("`samples` must have labels. Received: none")
    if transforms not in (None, "dihedral"):
        raise ValueError(f"`transforms` must be None or 'dihedral'. Received: {transforms!r}")
    labels = np.asarray(sequence.labels).astype(np.int8)
    groups = getattr(source, "groups", None) if groups is None else groups
    channels = tuple(source.channels)
    chosen = _check_subsets(channels, subsets)

    def answers(present: Sequence[str]) -> npt.NDArray[Any]:
        dark = [number for number, name in enumerate(channels) if name not in present]

        def view(symmetry: int, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
            images = apply_symmetry(images, symmetry).copy()
            images[..., dark] = 0
            return images

        views = [functools.partial(view, symmetry) for symmetry in (SYMMETRIES if transforms else [0])]
        scores = predict_scores(model, sequence, views, verbose=verbose)
        if metric.removeprefix("macro_") not in COUNTED:
            return scores
        return cross_fit_predict(rule, scores, labels, groups, seed=seed).astype(np.float32)

    found = compare(
        answers(channels),
        {"+".join(present): answers(present) for present in chosen},
        labels,
        groups,
        metric,
        class_names=getattr(source, "class_names", None),
        confidence=confidence,
        seed=seed,
    )
    return ChannelPrices(channels, dict(zip(chosen, found.values(), strict=True)), metric=metric)


def _check_subsets(channels: tuple[str, ...], subsets: Iterable[Iterable[str]] | None) -> list[tuple[str, ...]]:
    if subsets is None:
        sizes = range(len(channels) - 1, 0, -1)
        return [chosen for size in sizes for chosen in itertools.combinations(channels, size)]
    found = []
    for present in subsets:
        names = {present} if isinstance(present, str) else set(present)
        if not names or not names <= set(channels):
            raise ValueError(f"`subsets` must hold names of channels, {list(channels)}. Received: {sorted(names)}")
        if names != set(channels):
            found.append(tuple(channel for channel in channels if channel in names))
    if not found:
        raise ValueError("`subsets` must hold a set that lacks a channel. Received: none")
    return list(dict.fromkeys(found))


def _metric_name(metric: str) -> str:
    return metric.replace("_", " ").replace("f1", "F1").replace("roc auc", "ROC AUC")


def _change(one: Verdict) -> str:
    if round(one.difference, 3) == 0:
        return f"stays ({one.low:+.3f} to {one.high:+.3f})"
    if one.difference > 0:
        return f"rises by {one.difference:.3f} ({one.low:+.3f} to {one.high:+.3f})"
    return f"falls by {-one.difference:.3f} ({-one.high:.3f} to {-one.low:.3f})"
