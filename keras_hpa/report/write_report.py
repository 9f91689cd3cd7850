"""The run report: one HTML file with what to know first, then what to look at. It loads nothing from anywhere."""

from __future__ import annotations

import importlib
import os
import platform
import warnings
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import keras
import numpy as np
import numpy.typing as npt
import sklearn

from keras_hpa import plots
from keras_hpa.files import replacing
from keras_hpa.report.findings import find_what_to_look_at
from keras_hpa.report.label_pairs import count_pairs, draw_heat_maps, most_different, shortened
from keras_hpa.report.pictures import svg_uri
from keras_hpa.report.shown_classes import check_neighbours, choose_classes, show_classes
from keras_hpa.report.worth import evaluate_run, find_wrong_probabilities, promise, tenths, with_intervals
from keras_hpa.thresholds import Fixed, cross_fit

if TYPE_CHECKING:
    from keras_hpa.data import MultiChannelSequence
    from keras_hpa.inference import Neighbours
    from keras_hpa.thresholds import ThresholdCalibrator

_CURVES = {"loss": "Loss", "macro_f1": "Macro-F1", "accuracy": "Accuracy"}


def write_report(
    path: str | os.PathLike[str],
    samples: Any,
    scores: npt.ArrayLike,
    calibrator: ThresholdCalibrator,
    *,
    title: str = "Run report",
    model: keras.Model | None = None,
    batches: MultiChannelSequence | None = None,
    histories: Any = None,
    settings: Mapping[str, object] | None = None,
    classes: Sequence[int] | None = None,
    neighbours: Neighbours | None = None,
    reference: Any = None,
) -> None:
    """Writes one HTML file that shows a colleague how good a network is: numbers, samples, curves, settings.

    The file loads nothing, so that it can be sent by mail and read on a phone. It begins with macro-F1 and with what
    to look at first: classes that are never predicted, too few samples, a validation score that stands still while the
    training improves. Its table is that of [`evaluate`](evaluation.md), with intervals over the groups of `samples`
    where they have some; then come what the scores are as probabilities, and what precision they allow to promise.
    Where the thresholds were fitted on these same samples, it says so and gives macro-F1 at thresholds that were
    fitted on other samples beside it.

    Args:
        path: the file to write.
        samples: the `Samples` that were scored, with labels.
        scores: what the network gave for them, of shape `(num_samples, num_classes)`.
        calibrator: the fitted thresholds.
        title: what was trained.
        model: the trained network; with it the run report shows where in a sample the network saw a class.
        batches: a `MultiChannelSequence` whose image size, interpolation and type of numbers `model` was trained with.
            If not given, images are brought to the model's input size and read in its type of numbers.
        histories: what `fit` returned, or a mapping from the name of each stage of the training to that.
        settings: names and values that belong to the run.
        classes: the numbers of the classes whose samples are shown; two of the best and two of the worst if not given.
        neighbours: what [`nearest_samples`](nearest_samples.md) found for `samples`; beside each sample that is shown
            come the annotated ones that are most like it, and what they say about the class.
        reference: the annotated `Samples` among which they were found.

    Raises:
        ImportError: if Jinja2 or Matplotlib is missing; `pip install "keras-hpa[report]"` brings both.
        TypeError: if `samples` are no `Samples`.
        ValueError: if `samples` have no labels, `scores` or `neighbours` do not fit them, or a class does not exist.

    Example:
        ```python
        scores = keras_hpa.predict_scores(model, validation.batches(image_size=128))
        calibrator = keras_hpa.ThresholdCalibrator().fit(scores, validation.labels)
        keras_hpa.report.write_report("report.html", validation, scores, calibrator, model=model, histories=history)
        ```
    """
    environment = _environment()
    if not hasattr(samples, "labels") or not hasattr(samples, "ids"):
        raise TypeError(f"`samples` must be `Samples`; batches go to `batches`. Received: {type(samples)}")
    labels, scores = samples.labels, np.asarray(scores)
    if labels is None or scores.shape != np.shape(labels):
        raise ValueError(
            "`scores` must have the shape of the labels of `samples`, "
            f"{'which have none' if labels is None else np.shape(labels)}. Received: shape {scores.shape}"
        )
    check_neighbours(neighbours, reference, scores.shape)
    rows, predicted = _rows(samples, scores, calibrator), calibrator.predict(scores)
    table = evaluate_run(samples, scores, calibrator)
    rows = [with_intervals(row, one) for row, one in zip(rows, table.rows, strict=False)]
    fits = calibrator.rule != "fixed" and not isinstance(calibrator.rule, Fixed)
    was_fitted_here = fits and str(calibrator.report()) == str(calibrator.report(scores, labels))
    for row, count in zip(rows, predicted.sum(axis=0), strict=True):
        row["predicted"] = int(count)
    occurring = sorted((row for row in rows if row["support"]), key=lambda row: -row["f_beta"])
    classes = choose_classes(occurring) if classes is None else list(classes)
    if not all(0 <= number < len(rows) for number in classes):
        raise ValueError(f"`classes` must hold numbers from 0 to {len(rows) - 1}. Received: {classes}")
    pairs, stages = count_pairs(labels, predicted), _stages(histories)
    bins = tenths(scores, labels, from_logits=calibrator.from_logits)
    findings = find_what_to_look_at(rows, labels, predicted, stages)
    given = {name.replace("_", " "): _in_words(value) for name, value in (settings or {}).items() if value is not None}
    if model is not None:
        size = f"{model.count_params():,} parameters, input {model.input_shape[1:]}"
        given = {"model": f"{model.name}, {size}", **given}
    html = environment.get_template("run_report.html.jinja").render(
        title=title,
        date=datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z"),
        macro=table["macro"],
        micro=table["micro"],
        num_defined=sum(row["f1"] == row["f1"] for row in rows),
        num_groups=len(set(groups)) if (groups := getattr(samples, "groups", None)) is not None else 0,
        num_samples=len(scores),
        num_predicted=int(predicted.sum()),
        num_all_right=int(((labels == predicted) | (labels < 0)).all(axis=1).sum()),
        never=[row for row in rows if not row["predicted"]],
        findings=[*findings, *find_wrong_probabilities(bins)],
        bins=bins,
        promise=promise(samples, scores, calibrator, [row["class"] for row in rows]),
        rows=[*occurring, *(row for row in rows if not row["support"])],
        was_fitted_here=was_fitted_here,
        cross_fitted=_cross_fitted(samples, scores, calibrator) if was_fitted_here else float("nan"),
        stages=[_draw_stage(name, history) for name, history in stages.items()],
        thresholds=svg_uri(plots.plot_thresholds(calibrator, [shortened(row["class"]) for row in rows])),
        classes=show_classes(classes, rows, samples, scores, predicted, model, batches, neighbours, reference),
        has_maps=model is not None,
        heat_maps=draw_heat_maps(rows, pairs),
        pairs=[
            {"names": [rows[one]["class"], rows[other]["class"]], "true": int(true), "predicted": int(found)}
            for one, other, true, found in most_different(pairs)
        ],
        settings={"thresholds": f"rule {calibrator.rule!r}", **given},
        versions=_versions(),
        infinity=float("inf"),
    )
    with replacing(path) as temporary:
        temporary.write_text(html, encoding="utf-8", errors="replace")


def _environment() -> Any:
    try:
        import jinja2
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError('The run report needs Jinja2 and Matplotlib: pip install "keras-hpa[report]"') from error
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _rows(samples: Any, scores: npt.NDArray[Any], calibrator: ThresholdCalibrator) -> list[dict[str, Any]]:
    """A row per class, named as the calibrator or else the samples name it."""
    rows = calibrator.report(scores, samples.labels).rows
    names = [row["class"] for row in rows]
    if calibrator.class_names is None and getattr(samples, "class_names", None) is not None:
        names = [str(name) for name in samples.class_names]
    return [row | {"class": str(names[number]), "number": number} for number, row in enumerate(rows)]


def _cross_fitted(samples: Any, scores: npt.NDArray[Any], calibrator: ThresholdCalibrator) -> float:
    """Macro-F1 at thresholds that were fitted on other samples; NaN where there are no two parts."""
    groups = getattr(samples, "groups", None)
    if len(samples.ids if groups is None else set(groups)) < 2:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what `fit` says of absent classes it said before
        return cross_fit(calibrator, scores, samples.labels, groups)


def _stages(histories: Any) -> dict[str, dict[str, list[float]]]:
    """A history per stage; of metrics with several values, none."""
    histories = getattr(histories, "history", histories) or {}
    if not all(isinstance(getattr(one, "history", one), Mapping) for one in histories.values()):
        histories = {"training": histories}
    return {
        str(stage): {
            name: np.asarray(values, np.float64).tolist()
            for name, values in getattr(history, "history", history).items()
            if np.ndim(values) == 1
        }
        for stage, history in histories.items()
    }


def _draw_stage(name: str, history: Mapping[str, Sequence[float]]) -> dict[str, object]:
    """The curves of one stage, with what they show in words."""
    curves = []
    for metric, words in _CURVES.items():
        if len(history.get(metric, ())) > 1:
            told = [
                f"{part} from {history[key][0]:.3f} to {history[key][-1]:.3f}"
                for part, key in (("training", metric), ("validation", f"val_{metric}"))
                if key in history
            ]
            curves.append(
                {
                    "picture": svg_uri(plots.plot_learning_curves(history, [metric])),
                    "words": f"{words}: {', '.join(told)}",
                }
            )
    last = {
        metric.replace("val_", "validation ").replace("_", " "): values[-1]
        for metric, values in history.items()
        if len(values)
    }
    return {
        "name": name.capitalize(),
        "num_epochs": max(map(len, history.values()), default=0),
        "curves": curves,
        "last": last,
    }


def _in_words(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    return {
        "keras-hpa": importlib.import_module("keras_hpa").__version__,
        **{module.__name__: module.__version__ for module in (keras, np, sklearn, cv2)},
        "backend": f"{backend} {importlib.import_module(backend).__version__}",
        "Python": f"{platform.python_version()} on {platform.system()}, {platform.machine()}",
    }
