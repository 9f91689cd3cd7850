"""The code of docs/how-to/subcell.md, with a small network of random weights in place of the published one."""

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa.models.vision_transformer import TransformerSize
from tests.models.test_subcell import ORIGINAL, states


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    size = TransformerSize(features=16, blocks=2, heads=2, hidden_units=24, patch=8, image=32)
    monkeypatch.setattr("keras_hpa.models.subcell.SIZE", size)
    monkeypatch.setattr("keras_hpa.models.subcell.POOL_UNITS", 12)
    keras_hpa.subcell.SubCell("rybg", image_size=32).save_weights("subcell.weights.h5")


@pytest.mark.usefixtures("_short_trainings")
def test_the_page(monkeypatch):
    fields = keras_hpa.Samples(keras_hpa.SyntheticAtlas(6, image_size=128).samples, pixel_sizes=0.08)
    masks = {}
    for number, field in enumerate(fields.ids):
        masks[field] = np.zeros((128, 128), "uint16")
        masks[field][8:56, 8 + number : 64], masks[field][70:120, 60:110] = 1, 2
    # --8<-- [start:crop]
    crops = keras_hpa.cells.CellCrops(fields, masks, size=448, pixel_size=0.08, outside="zero")
    # --8<-- [end:crop]
    crops = keras_hpa.cells.CellCrops(fields, masks, size=32, outside="zero")
    crops = keras_hpa.Samples(crops.source, crops.labels, class_names=crops.class_names, groups=crops.groups)
    crops = keras_hpa.Samples(crops, crops.labels, groups=crops.groups, pixel_sizes=0.08)

    def build(*args, **options):
        return keras_hpa.subcell.SubCell(*args, image_size=32, **options)

    monkeypatch.setattr(keras_hpa.models, "SubCell", build)
    # --8<-- [start:load]
    model = keras_hpa.models.SubCell("rybg", weights="subcell.weights.h5", image_channels=crops.channels)
    scores = keras_hpa.predict_scores(model, crops.batches(batch_size=8))
    for number in np.argsort(-scores[0])[:3]:
        print(f"{keras_hpa.subcell.SUBCELL_CLASS_NAMES[number]}: {scores[0, number]:.2f}")
    # --8<-- [end:load]
    assert scores.shape == (12, 31)
    # --8<-- [start:embed]
    embeddings = keras_hpa.embed(model, crops.batches(batch_size=8))
    # --8<-- [end:embed]
    assert embeddings.shape == (12, 32)
    # --8<-- [start:attention]
    tokens, pooled = keras_hpa.subcell.attention_model(model).predict(next(iter(crops.batches(batch_size=8)))[0])
    # --8<-- [end:attention]
    assert tokens.shape == (8, 4, 4, 2)
    assert pooled.shape == (8, 4, 4, 2)
    # --8<-- [start:own]
    model = keras_hpa.models.SubCell("rybg", 28, weights="subcell.weights.h5", image_channels=crops.channels)
    for layers, learning_rate in (("classifier*", 1e-3), ("*", 1e-5)):
        keras_hpa.train_only(model, layers)
        model.compile(keras.optimizers.AdamW(learning_rate), loss=keras_hpa.BinaryCrossentropy())
        model.fit(crops.batches(batch_size=8, shuffle=True), epochs=5)
    # --8<-- [end:own]
    assert model.output_shape == (None, 28)


def test_convert():
    torch = pytest.importorskip("torch")
    for name, state in zip(("encoder", "classifier_s0", "classifier_s1"), states(), strict=True):
        torch.save({key: torch.from_numpy(value) for key, value in state.items()}, f"{name}.pth")
    # --8<-- [start:convert]
    keras_hpa.subcell.convert_subcell(
        "encoder.pth",
        ["classifier_s0.pth", "classifier_s1.pth"],
        "subcell.weights.h5",
        channels="rybg",
        variant="mae_contrast_supcon",
    )
    # --8<-- [end:convert]
    model = keras_hpa.models.SubCell("rybg", image_size=32, weights="subcell.weights.h5")
    images, expected = ORIGINAL["32x32:images"].astype("float32"), ORIGINAL["32x32:probabilities"]
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-5)
