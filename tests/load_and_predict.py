"""What a process that knows nothing but `keras_hpa` makes of a saved model."""

from pathlib import Path

import keras
import numpy as np

import keras_hpa  # noqa: F401


def load_and_predict(folder: Path) -> None:
    model = keras.saving.load_model(folder / "model.keras")
    np.save(folder / "outputs.npy", model.predict(np.load(folder / "inputs.npy"), verbose=0))
