"""Weights from a file the user named, with errors that name it back."""

import os
import warnings

import keras


def load_weights(model: keras.Model, path: str | os.PathLike[str], expected: str) -> None:
    """Loads a weights file into `model`; `expected` says in a few words what the file must hold."""
    path = os.fspath(path)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"`weights` must be {expected}. Received: {path!r}, which is no file")
    try:
        with warnings.catch_warnings():
            # Keras only warns of layers that the file lacks and that would keep their random weights.
            warnings.filterwarnings("error", "Skipping nested container", UserWarning)
            model.load_weights(path)
    except OSError as error:
        raise OSError(f"`weights` must be {expected}. Received: {path!r}, which is damaged: {error}") from error
    except (ValueError, UserWarning) as error:
        raise ValueError(f"`weights` must be {expected}. Received: {path!r}, which does not fit: {error}") from error
