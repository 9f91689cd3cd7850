"""Fits one batch and predicts with the weights of the package, in a new environment: run by `make wheel`."""

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
drawn = keras_hpa.SyntheticAtlas(4, image_size=96)
pretrained = keras_hpa.GapNet((96, 96, 2), 28, weights="drawn", channels=["nucleus", "protein"])
scores = pretrained.predict(
    np.stack([drawn.read(number) for number in range(4)])[..., [2, 1]] / np.float32(255), verbose=0
)
assert scores.shape == (4, 28), scores.shape
assert 0 < scores.min() < 0.1 < scores.max() < 1, scores
print(f"keras-hpa {keras_hpa.__version__} on Keras {keras.__version__}: one batch fitted, {history.history}")
