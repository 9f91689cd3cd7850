"""Weights from a file the user named, with errors that name it back."""

import os
import warnings
from typing import Literal

import keras


def load_weights(model: keras.Model, path: str | os.PathLike[str], expected: str) -> None:
    """Loads a weights file into `model`; `expected` says in a few words what the file must hold."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`weights` must be {expected}. Received: {path!r}, which is no file")
    try:
        _load_all(model, path)
    except (OSError, LookupError, RuntimeError, MemoryError) as error:
        raise OSError(f"`weights` must be {expected}. Received: {path!r}, which is damaged: {error}") from error
    except (ValueError, UserWarning) as error:
        raise ValueError(f"`weights` must be {expected}. Received: {path!r}, which does not fit: {error}") from error


def _load_all(model: keras.Model, path: str) -> None:
    try:
        # Keras only warns of layers that the file lacks and that would keep their random weights.
        _load(model, path, "error")
    except UserWarning:
        # Where Keras ends in an error of its own, that names the layers, which the warning does not.
        _load(model, path, "ignore")
        raise


def _load(model: keras.Model, path: str, if_layers_are_skipped: Literal["error", "ignore"]) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings(if_layers_are_skipped, "Skipping nested container", UserWarning)
        model.load_weights(path)
