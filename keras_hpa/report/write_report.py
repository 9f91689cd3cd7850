"""The report of a run as one HTML file: what to know first, then what to look at. It loads nothing from anywhere."""

import base64
import io
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import cv2
import jinja2
import keras
import numpy as np
from report_findings import FEW_POSITIVES, count_pairs, find_what_to_look_at, macro_f1_interval

import keras_hpa
from keras_hpa.files import replacing

_CURVES = {"loss": "Loss", "macro_f1": "Macro-F1", "accuracy": "Accuracy"}
_MOST_CLASSES_IN_HEAT_MAP = 40
_LONGEST_NAME = 30  # in pictures
_PICTURE_SIZE, _CHANNEL_SIZE = 288, 160  # pixels
_PACKAGES = ("keras", "numpy", "scikit-learn", "opencv-python-headless")


def write_report(
    path: Path,
    *,
    title: str,
    model: keras.Model,
    validation: keras_hpa.MultiChannelSequence,
    scores: np.ndarray,
    calibrator: keras_hpa.ThresholdCalibrator,
    histories: Mapping[str, Mapping[str, Sequence[float]]],
    settings: Mapping[str, object],
    classes: Sequence[int] | None = None,
) -> None:
    """Writes a report of a training that a phone can read: numbers, curves, thresholds, samples, pairs of labels.

    Args:
        path: the file to write.
        title: what was trained.
        model: the trained network, for the maps of where it saw a class.
        validation: the validation samples in their order, with labels.
        scores: what the network gave for them.
        calibrator: the fitted thresholds; its `class_names` are those of the report.
        histories: one history for each stage of the training; it may be empty.
        settings: names and values that belong to the run.
        classes: the numbers of the classes whose samples are shown; two of the best and two of the worst if not given.
    """
    rows = [row | {"number": number} for number, row in enumerate(calibrator.report().rows)]
    labels, predicted = validation.labels, calibrator.predict(scores)
    for row, count in zip(rows, predicted.sum(axis=0), strict=True):
        row["predicted"] = int(count)
    occurring = sorted((row for row in rows if row["support"]), key=lambda row: -row["f_beta"])
    if classes is None:
        classes = _choose_classes(occurring)
    pairs = count_pairs(labels, predicted)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("run_report.html.jinja").render(
        title=title,
        date=datetime.now().astimezone().strftime("%d %B %Y, %H:%M %Z"),
        macro_f1=macro_f1_interval(labels, predicted),
        num_samples=len(scores),
        num_all_right=int(((labels == predicted) | (labels < 0)).all(axis=1).sum()),
        never=[row for row in rows if not row["predicted"]],
        findings=find_what_to_look_at(rows, labels, predicted, histories),
        rows=[*occurring, *(row for row in rows if not row["support"])],
        has_fitted=calibrator.method != "fixed",
        stages=[_draw_stage(name, history) for name, history in histories.items()],
        thresholds=_svg_uri(keras_hpa.plots.plot_thresholds(calibrator, [_shortened(row["class"]) for row in rows])),
        classes=_show_classes(classes, rows, model, validation, scores, predicted),
        heat_maps=_draw_heat_maps(rows, pairs),
        pairs=[
            {"names": [rows[one]["class"], rows[other]["class"]], "true": int(true), "predicted": int(found)}
            for one, other, true, found in _most_different(pairs)
        ],
        settings={
            "model": f"{model.name}, {model.count_params():,} parameters, input {model.input_shape[1:]}",
            "thresholds": f"method {calibrator.method!r}",
            **{name.replace("_", " "): _in_words(value) for name, value in settings.items() if value is not None},
        },
        versions=_versions(),
        infinity=float("inf"),
    )
    with replacing(path) as temporary:
        temporary.write_text(html, encoding="utf-8")


def _choose_classes(occurring: Sequence[dict]) -> list[int]:
    """The two classes with the best F1 and the two with the worst, of those with enough samples to tell."""
    enough = [row for row in occurring if row["support"] >= FEW_POSITIVES]
    if len(enough) < 4:
        common = sorted(occurring, key=lambda row: -row["support"])[:8]
        enough = [row for row in occurring if row in common]
    return [row["number"] for row in (*enough[:2], *enough[2:][-2:])]


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
            figure = keras_hpa.plots.plot_learning_curves(history, [metric])
            curves.append({"picture": _svg_uri(figure), "words": f"{words}: {', '.join(told)}"})
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


def _show_classes(
    classes: Sequence[int],
    rows: Sequence[dict],
    model: keras.Model,
    validation: keras_hpa.MultiChannelSequence,
    scores: np.ndarray,
    predicted: np.ndarray,
) -> list[dict[str, object]]:
    """For each class the samples that carry it and score highest and lowest, and the highest of those that do not."""
    names = [row["class"] for row in rows]
    shown = []
    for number in classes:
        truth = validation.labels[:, number]
        order = np.argsort(-scores[:, number], kind="stable")
        true, false = order[truth[order] == 1], order[truth[order] == 0]
        passed = predicted[:, number].astype(bool)
        chosen = [("Surest of those that carry it", index) for index in true[:2]]
        chosen += [("Least sure of those that carry it", index) for index in true[2:][-1:]]
        chosen += [("Surest of those that do not carry it", index) for index in false[:1]]
        samples = [
            {
                "why": why,
                "id": validation.source.ids[index],
                "verdict": _VERDICTS[bool(truth[index] == 1), bool(passed[index])],
                "score": float(scores[index, number]),
                "true": [names[one] for one in np.flatnonzero(validation.labels[index] == 1)],
                "predicted": [names[one] for one in np.argsort(-scores[index]) if predicted[index, one]],
            }
            for why, index in chosen
        ]
        pictures = _draw_samples(model, _read(validation, [index for _, index in chosen]), number, validation)
        shown.append({"row": rows[number], "samples": [a | b for a, b in zip(samples, pictures, strict=True)]})
    return shown


_VERDICTS = {(True, True): "found", (True, False): "missed", (False, True): "false alarm", (False, False): "left out"}


def _read(validation: keras_hpa.MultiChannelSequence, indices: Sequence[int]) -> np.ndarray:
    """Some samples as the network gets them."""
    return keras_hpa.MultiChannelSequence(
        keras_hpa.subset(validation.source, indices),
        batch_size=len(indices),
        image_size=validation.image_size,
        interpolation=validation.interpolation,
        dtype=validation.dtype,
        max_value=validation.max_value,
        workers=0,
    )[0]


def _draw_samples(
    model: keras.Model, images: np.ndarray, number: int, validation: keras_hpa.MultiChannelSequence
) -> list[dict[str, object]]:
    """Pictures of each image: its channels merged, where the network saw a class in it, and each channel."""
    maps = keras_hpa.class_activation_maps(model, images, [number])
    channels = validation.source.channels
    drawn = []
    for image, where in zip(images, maps, strict=True):
        panels = keras_hpa.plots.plot_channels(image, channels).axes
        *pictures, merge = [(axes.get_title(), np.asarray(axes.images[0].get_array())) for axes in panels]
        under, glow = keras_hpa.plots.plot_activation_maps(image, where, channels).axes[1].images
        opacity = np.asarray(glow.get_alpha())[..., None]
        seen = np.asarray(under.get_array()) * (1 - opacity) + glow.to_rgba(glow.get_array())[..., :3] * opacity
        drawn.append(
            {
                "merge": _webp_uri(merge[1], _PICTURE_SIZE),
                "seen": _webp_uri(seen, _PICTURE_SIZE),
                "highest": float(glow.norm.vmax) if where.max() > 0 else 0.0,
                "channels": [(name, _webp_uri(pixels, _CHANNEL_SIZE)) for name, pixels in pictures],
            }
        )
    return drawn


def _draw_heat_maps(rows: Sequence[dict], pairs: np.ndarray) -> list[dict[str, object]]:
    """How many of the samples that carry one label carry another too, as squares to draw: labels, and predictions."""
    common = sorted(rows, key=lambda row: -max(row["support"], row["predicted"]))[:_MOST_CLASSES_IN_HEAT_MAP]
    order = sorted(row["number"] for row in common if row["support"] or row["predicted"])
    names = [rows[number]["class"] for number in order]
    heat_maps = []
    for words, counts in zip(("true", "predicted"), pairs, strict=True):
        squares = []
        for y, one in enumerate(order):
            for x, other in enumerate(order):
                if one != other and counts[one, other]:
                    told = f"{counts[one, other]:.0f} of {counts[one, one]:.0f} with {names[y]}: {names[x]} too"
                    squares.append({"x": x, "y": y, "share": counts[one, other] / counts[one, one], "words": told})
        heat_maps.append({"words": words, "names": list(map(_shortened, names)), "squares": squares})
    return heat_maps


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"


def _most_different(pairs: np.ndarray, num_pairs: int = 8) -> list[tuple[int, int, float, float]]:
    true, predicted = pairs
    ones, others = np.triu_indices(len(true), 1)
    difference = np.abs(true - predicted)[ones, others]
    order = [place for place in np.argsort(-difference, kind="stable")[:num_pairs] if difference[place]]
    return [(i, j, true[i, j], predicted[i, j]) for i, j in zip(ones[order], others[order], strict=True)]


def _in_words(value: object) -> object:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else value


def _versions() -> dict[str, str]:
    backend = keras.backend.backend()
    return {
        "keras-hpa": keras_hpa.__version__,
        **{name: version(name) for name in _PACKAGES},
        "backend": f"{backend} {version(backend)}",
        "Python": f"{platform.python_version()} on {platform.system()}, {platform.machine()}",
    }


def _svg_uri(figure: object) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return _data_uri("image/svg+xml", file.getvalue())


def _webp_uri(picture: np.ndarray, size: int) -> str:
    """A picture, RGB from 0 to 1, no larger than `size` and small in bytes."""
    pixels = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    scale = min(1, size / max(pixels.shape[:2]))
    if scale < 1:
        height, width = (max(1, round(scale * length)) for length in pixels.shape[:2])
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".webp", pixels[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 85])
    return _data_uri("image/webp", content.tobytes())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
