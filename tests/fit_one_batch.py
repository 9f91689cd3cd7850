"""Fits one batch with the installed package and nothing else: run by `make wheel` in a new environment."""

from importlib.resources import files

import keras
import numpy as np

import keras_hpa

assert all((files(keras_hpa) / name).is_file() for name in ("py.typed", "__init__.pyi", "data/__init__.pyi"))
images = np.random.default_rng(0).integers(0, 256, (4, 80, 80, 4), dtype=np.uint8)
labels = keras_hpa.parse_labels(["0 16", "5", "25", "0"], 28)
source = keras_hpa.ArraySource(images)
model = keras_hpa.GapNet((80, 80, 4), 28)
model.compile("adam", loss="binary_crossentropy", metrics=[keras_hpa.MacroF1()])
history = model.fit(keras_hpa.MultiChannelSequence(source, labels, batch_size=4), verbose=0)
assert np.isfinite(history.history["loss"]).all(), history.history
print(f"keras-hpa {keras_hpa.__version__} on Keras {keras.__version__}: one batch fitted, {history.history}")
