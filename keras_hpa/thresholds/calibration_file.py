"""A fitted calibrator as a JSON file."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_hpa.files import replacing

_FORMAT, _VERSION = "keras_hpa.ThresholdCalibrator", 1


def write_calibration(path: str | os.PathLike[str], content: dict[str, Any]) -> None:
    """Writes plain numbers, texts and lists; JSON knows no infinity, it is written as null."""
    text = json.dumps(_to_json({"format": _FORMAT, "version": _VERSION, **content}), indent=1, allow_nan=False)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_calibration(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads what `write_calibration` wrote.

    Raises:
        ValueError: if the file is not one of ours, or of a version that is not known.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"`path` must name a file written by `save`. Received: {path}, not JSON") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"`path` must name a file written by `save`. Received: {path} with another content")
    if content.get("version") != _VERSION:
        raise ValueError(f"`path` must be of version {_VERSION}. Received: {content.get('version')!r} in {path}")
    for thresholds in (content, content["parameters"]):
        thresholds["thresholds"] = _from_json(thresholds["thresholds"])
    return content


def _to_json(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, dict):
        return {name: _to_json(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(one) for one in value]
    return None if isinstance(value, float) and value == np.inf else value


def _from_json(thresholds: Any) -> Any:
    if isinstance(thresholds, list):
        return [_from_json(one) for one in thresholds]
    return np.inf if thresholds is None else thresholds
