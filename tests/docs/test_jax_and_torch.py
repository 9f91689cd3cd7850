"""The code of docs/how-to/jax-and-torch.md."""

import keras

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


def test_same_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras_hpa.SyntheticAtlas(4, image_size=(32, 32)).save("human-protein-atlas")
    # --8<-- [start:train]
    samples = keras_hpa.load_kaggle("human-protein-atlas")
    sequence = samples.batches(batch_size=32, image_size=128, shuffle=True)
    model = keras_hpa.GapNet((128, 128, 4), num_classes=28)
    model.compile("adam", loss="binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    model.fit(sequence, epochs=20)
    model.save("model.keras")
    # --8<-- [end:train]
    # --8<-- [start:load]
    model = keras.saving.load_model("model.keras")
    # --8<-- [end:load]
    assert model.output_shape == (None, 28)


def test_weights_without_tensorflow(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    keras_hpa.GapNet((None, None, 4), 13, variant="gapnet-pl").save_weights("gapnet_pl.weights.h5")
    # --8<-- [start:weights]
    model = keras_hpa.GapNet((512, 512, 4), 13, variant="gapnet-pl", weights="gapnet_pl.weights.h5")
    # --8<-- [end:weights]
    assert model.output_shape == (None, 13)


def test_what_goes_wrong():
    check_quoted_messages(
        "how-to/jax-and-torch.md",
        [(ValueError, lambda: keras_hpa.gapnet_pl.convert_gapnet_pl("models/gapnet-pl.ckpt", "gapnet_pl.h5"))],
    )
