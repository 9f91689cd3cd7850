"""The code of docs/how-to/monitoring.md."""

import keras
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture(scope="module")
def source():
    return keras_hpa.SyntheticAtlas(16, image_size=(32, 32), balance="uniform")


@pytest.mark.usefixtures("_short_trainings")
def test_the_page(source, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    labels = source.labels
    # --8<-- [start:batches]
    for batch_size in (4, 16):
        averaged, exact = keras_hpa.BatchMacroF1(), keras_hpa.MacroF1()
        for start in range(0, len(labels), batch_size):
            batch = labels[start : start + batch_size].astype("float32")
            averaged.update_state(batch, batch)  # a perfect prediction
            exact.update_state(batch, batch)
        print(f"batches of {batch_size}: {float(averaged.result()):.3f} averaged, {float(exact.result()):.3f} exact")
    # --8<-- [end:batches]
    four, sixteen = (line.split() for line in capsys.readouterr().out.splitlines())
    assert float(four[3]) < float(sixteen[3]) <= 1
    assert float(four[5]) == float(sixteen[5]) == 1

    train_batches = source.samples.batches(batch_size=8, shuffle=True)
    validation_batches = source.samples.batches(batch_size=8)
    validation_labels = labels
    model = keras_hpa.GapNet((32, 32, 4), num_classes=28, filters=(4, 4, 4))
    # --8<-- [start:compile]
    model.compile("adam", "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    # --8<-- [end:compile]

    # --8<-- [start:fit]
    reduce_lr = keras_hpa.ReduceLR("macro_f1")
    checkpoint = keras.callbacks.ModelCheckpoint("best.keras", monitor="val_macro_f1", mode="max", save_best_only=True)
    history = model.fit(train_batches, validation_data=validation_batches, epochs=40, callbacks=[reduce_lr, checkpoint])
    # --8<-- [end:fit]
    assert "val_macro_f1" in history.history
    assert (tmp_path / "best.keras").is_file()

    # --8<-- [start:cross_fitted]
    cross_fitted = keras_hpa.CrossFittedMacroF1(validation_batches)
    reduce_lr = keras_hpa.ReduceLR("macro_f1", monitor="val_cross_fitted_macro_f1")
    checkpoint = keras.callbacks.ModelCheckpoint(
        "best_cross_fitted.keras", monitor="val_cross_fitted_macro_f1", mode="max", save_best_only=True
    )
    history = model.fit(train_batches, epochs=40, callbacks=[cross_fitted, reduce_lr, checkpoint])
    # --8<-- [end:cross_fitted]
    assert 0 <= history.history["val_cross_fitted_macro_f1"][0] <= 1

    # --8<-- [start:load]
    best = keras.saving.load_model("best_cross_fitted.keras", compile=False)
    scores = keras_hpa.predict_scores(best, validation_batches)
    # --8<-- [end:load]
    assert scores.shape == (16, 28)

    # --8<-- [start:per_class]
    metric = keras_hpa.MacroF1(threshold=0.5)
    metric.update_state(validation_labels, scores)
    f1 = keras.ops.convert_to_numpy(metric.per_class())  # NaN: neither present nor predicted
    # --8<-- [end:per_class]
    assert f1.shape == (28,)


@pytest.mark.usefixtures("_short_trainings")
def test_what_goes_wrong():
    inputs, labels = np.eye(4, dtype="float32"), np.eye(4, 2, dtype="float32")
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=[keras_hpa.MacroF1()])
    misspelt = keras_hpa.ReduceLR("macro_f1", monitor="val_f1")
    reduce_lr = keras_hpa.ReduceLR("macro_f1")
    generator = ((inputs, labels) for _ in range(3))
    check_quoted_messages(
        "how-to/monitoring.md",
        [
            (ValueError, lambda: model.fit(inputs, labels, callbacks=[misspelt])),
            (ValueError, lambda: model.fit(inputs, labels, callbacks=[reduce_lr])),
            (ValueError, lambda: keras_hpa.ReduceLR("f1")),
            (TypeError, lambda: keras_hpa.CrossFittedMacroF1(generator)),
        ],
    )
