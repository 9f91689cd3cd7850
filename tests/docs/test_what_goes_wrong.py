"""The code and the messages of docs/how-to/what-goes-wrong.md: each stumble is met here."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import DOCS, check_message

PAGE = DOCS / "how-to" / "what-goes-wrong.md"


def shown(symptom):
    """The text blocks of the stumble with this heading."""
    [section] = re.findall(rf"^### {re.escape(symptom)}\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return re.findall(r"^```text\n(.*?)\n```$", section, re.DOTALL | re.MULTILINE)


def check(symptom, kind, mistake):
    """The page quotes one message of this stumble, the one that the mistake ends in."""
    [quoted] = shown(symptom)
    check_message(quoted, kind, mistake)


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def atlas(num_samples=8, image_size=32):
    keras_hpa.SyntheticAtlas(num_samples, image_size=image_size, balance="uniform").save("human-protein-atlas")
    return keras_hpa.load_kaggle("human-protein-atlas")


def batches_of_zeros(labels):
    return keras_hpa.Samples(keras_hpa.ArraySource(np.zeros((len(labels), 32, 32, 2), "uint8")), labels)


def test_every_stumble_is_met_here():
    symptoms = re.findall(r"^### (.*)$", PAGE.read_text(), re.MULTILINE)
    module = Path(__file__).read_text()
    assert len(symptoms) == len(set(symptoms)) > 15
    for symptom in symptoms:
        assert len(re.findall(rf'^def test_.*\n    symptom = "{re.escape(symptom)}"$', module, re.MULTILINE)) == 1


def test_ids_changed_by_a_spreadsheet():
    symptom = "A spreadsheet has changed the ids"
    Path("plates").mkdir()
    for number in range(3):
        for channel in ("dapi", "gfp"):
            cv2.imwrite(f"plates/{number:03}_{channel}.png", np.zeros((8, 8), "uint8"))
    Path("plates.csv").write_text("id,label\n0,Golgi\n1,Cytosol\n2,Golgi\n")
    arguments = {"channels": ["dapi", "gfp"], "label_columns": "label"}
    check(symptom, FileNotFoundError, lambda: keras_hpa.load_folder("plates", "plates.csv", **arguments))
    # --8<-- [start:excel]
    samples = keras_hpa.load_folder(
        "plates", "plates.csv", channels=["dapi", "gfp"], label_columns="label", pattern="{id:03}_{channel}.png"
    )
    # --8<-- [end:excel]
    assert samples.ids == ("0", "1", "2")


def test_a_file_is_gone():
    symptom = "A training ends at a file that is gone"
    samples = atlas()
    os.remove("human-protein-atlas/train/synthetic-0-000003_green.png")
    check(symptom, FileNotFoundError, lambda: list(samples.batches(workers=0)))
    # --8<-- [start:gone]
    report = keras_hpa.validate(samples)
    print(report)
    unreadable = dict(report.errors)
    samples = samples[[name for name in samples.ids if name not in unreadable]]
    # --8<-- [end:gone]
    assert len(samples) == 7
    assert len(list(samples.batches())) == 1


def test_nan_in_an_image():
    symptom = "NaN in an image"
    images = np.ones((8, 32, 32, 2), "float32")
    images[5, 0, 0, 0] = np.nan
    samples = keras_hpa.Samples(keras_hpa.ArraySource(images))
    with pytest.raises(ValueError, match="finite") as error:
        keras_hpa.predict_scores(keras_hpa.GapNet((32, 32, 2), 3), samples, verbose=0)
    # --8<-- [start:nan]
    report = keras_hpa.validate(samples)
    print(report)
    # --8<-- [end:nan]
    assert [str(error.value), str(report)] == shown(symptom)


def test_channels_in_another_order():
    symptom = "Good scores here, chance with new images"
    samples = atlas()
    model = keras_hpa.GapNet((32, 32, 4), 28)
    here = keras_hpa.predict_scores(model, samples, verbose=0)
    # --8<-- [start:order]
    trained_on = ["red", "green", "blue", "yellow"]  # keep them beside the model
    new = keras_hpa.load_folder("human-protein-atlas/train", channels=["blue", "green", "red", "yellow"])
    wrong = keras_hpa.predict_scores(model, new)
    right = keras_hpa.predict_scores(model, new.select_channels(trained_on))
    # --8<-- [end:order]
    np.testing.assert_allclose(right, here, rtol=0, atol=1e-6)
    assert np.abs(wrong - here).max() > 1e-3
    assert not shown(symptom)


def test_too_few_channels():
    symptom = "A model of four channels, and images of one"
    samples = atlas()
    model = keras_hpa.GapNet((32, 32, 4), 28)
    check(symptom, ValueError, lambda: keras_hpa.predict_scores(model, samples.select_channels(["green"])))
    if keras.backend.backend() == "tensorflow":
        model.predict(samples.batches(), verbose=0)
        assert model.predict(samples.select_channels(["green"]).batches(), verbose=0).shape == (8, 28)  # says nothing


def test_bytes_for_floats():
    symptom = "Scores that are all 0 or 1, or a loss that does not fall"
    samples = atlas()
    model = keras_hpa.GapNet((32, 32, 4), 28)
    bytes_of = samples.batches(dtype="source")
    check(symptom, ValueError, lambda: keras_hpa.predict_scores(model, bytes_of))
    assert np.abs(model.predict(bytes_of, verbose=0) - 0.5).max() > 0.1  # says nothing
    # --8<-- [start:bytes]
    scaled_before = samples.batches(dtype="float32")  # the default: 0 to 1
    model = keras_hpa.GapNet((32, 32, 4), 28, input_dtype="uint8")  # or bytes, and the model scales them
    scores = keras_hpa.predict_scores(model, samples)
    # --8<-- [end:bytes]
    assert 0.5 < scaled_before[0][0].max() <= 1
    assert scores.shape == (8, 28)


def test_predict_on_shuffled_batches():
    symptom = "The scores of `model.predict` belong to other samples"
    samples = atlas()
    model = keras_hpa.GapNet((32, 32, 4), 28)
    shuffled = samples.batches(batch_size=4, shuffle=True)
    wrong = model.predict(shuffled, verbose=0)
    # --8<-- [start:predict]
    scores = keras_hpa.predict_scores(model, shuffled)
    # --8<-- [end:predict]
    np.testing.assert_allclose(scores, model.predict(samples.batches(), verbose=0), rtol=0, atol=1e-6)
    assert np.abs(wrong - scores).max() > 1e-4
    assert not shown(symptom)


def test_workers_of_fit():
    symptom = "`fit` has no `workers` any more"
    samples = batches_of_zeros(np.eye(8, 3))
    model = keras_hpa.GapNet((32, 32, 2), 3)
    model.compile("adam", "binary_crossentropy")
    [quoted] = shown(symptom)
    with pytest.raises(TypeError, match=f"{re.escape(quoted)}$"):
        model.fit(samples.batches(), workers=4)
    # --8<-- [start:workers]
    model.fit(samples.batches(workers=4), epochs=1)
    # --8<-- [end:workers]


def test_unknown_labels():
    symptom = "Unknown labels, -1, and a loss of Keras"
    labels = np.eye(8, 3)
    labels[0, 1] = -1
    samples = batches_of_zeros(labels)
    model = keras_hpa.GapNet((32, 32, 2), 3)
    model.compile("adam", "binary_crossentropy")
    check(symptom, ValueError, lambda: model.fit(samples.batches(), verbose=0))
    assert np.isfinite(model.fit(np.zeros((8, 32, 32, 2)), labels, verbose=0).history["loss"])  # says nothing
    # --8<-- [start:unknown]
    model.compile("adam", keras_hpa.BinaryCrossentropy(), metrics=[keras_hpa.MacroF1()])
    model.fit(samples.batches(), epochs=1)
    # --8<-- [end:unknown]


def test_blank_labels():
    symptom = "Blank cells in a table of 0 and 1"
    labels = np.eye(8, 3)
    labels[0, 1] = np.nan
    check(symptom, ValueError, lambda: batches_of_zeros(labels))
    images = keras_hpa.ArraySource(np.zeros((8, 32, 32, 2), "uint8"))
    # --8<-- [start:blank]
    samples = keras_hpa.Samples(images, np.where(np.isnan(labels), -1, labels))
    # --8<-- [end:blank]
    assert samples.labels[0, 1] == -1


def test_one_label_per_sample():
    symptom = "Shapes that differ in the number of classes"
    samples = batches_of_zeros(np.eye(8, 3))
    model = keras_hpa.GapNet((32, 32, 2), 5)
    model.compile("adam", "binary_crossentropy")
    if keras.backend.backend() == "tensorflow":
        check(symptom, ValueError, lambda: model.fit(samples.batches(), verbose=0))
    # --8<-- [start:classes]
    model = keras_hpa.GapNet((32, 32, 2), num_classes=samples.labels.shape[1])
    # --8<-- [end:classes]
    assert model.output_shape == (None, 3)


def test_batch_norm_lags():
    symptom = "Training goes well, validation stays where guessing is"
    samples = keras_hpa.SyntheticAtlas(64, image_size=32, balance="uniform").samples
    train_batches = samples.batches(batch_size=16, shuffle=True)
    model = keras_hpa.GapNet((32, 32, 4), 28, normalization="batch")
    model.compile("adam", "binary_crossentropy")
    trained = model.fit(train_batches, epochs=3, verbose=0).history["loss"][-1]
    before = model.evaluate(samples.batches(), verbose=0)
    # --8<-- [start:batch_norm]
    keras_hpa.reestimate_batch_norm(model, train_batches)
    # --8<-- [end:batch_norm]
    assert model.evaluate(samples.batches(), verbose=0) < trained < before  # on the same images
    assert not shown(symptom)


def test_one_threshold_for_all(capsys):
    symptom = "Macro-F1 stays low, though the loss falls"
    rng = np.random.default_rng(0)
    prevalence = np.array([0.3, 0.05, 0.02])
    labels = (rng.random((2000, 3)) < prevalence).astype("uint8")
    logits = np.log(prevalence / (1 - prevalence)) + rng.normal(0, 0.5, labels.shape) + 1.5 * labels
    scores = 1 / (1 + np.exp(-logits))
    # --8<-- [start:thresholds]
    half = len(labels) // 2
    calibrator = keras_hpa.ThresholdCalibrator().fit(scores[:half], labels[:half])
    fitted = calibrator.predict(scores[half:])
    for name, decided in (("0.5", scores[half:] > 0.5), ("fitted", fitted)):
        macro_f1 = keras_hpa.MacroF1()
        macro_f1.update_state(labels[half:], decided.astype("float32"))
        print(f"thresholds {name}: {float(macro_f1.result()):.2f}")
    # --8<-- [end:thresholds]
    assert [capsys.readouterr().out.strip()] == shown(symptom)


def test_f1_of_keras(capsys):
    symptom = "`F1Score` of Keras is too low where all is right"
    # --8<-- [start:f1]
    labels = np.array([[1, 1, 0], [0, 1, 1], [1, 0, 1]], "float32")
    scores = np.array([[0.9, 0.8, 0.1], [0.1, 0.9, 0.8], [0.8, 0.1, 0.9]], "float32")
    for metric in (keras.metrics.F1Score(average="macro"), keras_hpa.MacroF1()):
        metric.update_state(labels, scores)
        print(f"{float(metric.result()):.3f}")
    # --8<-- [end:f1]
    assert [capsys.readouterr().out.strip()] == shown(symptom)


def test_leaking_split():
    symptom = "A test score that no new antibody reaches"
    drawn = keras_hpa.SyntheticAtlas(40, image_size=32)
    ids = [f"{number // 4}_plate_{number}" for number in range(40)]
    source = keras_hpa.ArraySource(np.stack([drawn.read(number) for number in range(40)]), ids=ids)
    labels = drawn.labels
    # --8<-- [start:leak]
    samples = keras_hpa.Samples(source, labels, groups=[name.split("_")[0] for name in source.ids])
    order = np.random.default_rng(0).permutation(len(samples))
    train, test = samples[order[:30]], samples[order[30:]]
    found = keras_hpa.evaluation.check_split(train, test, verbose=0).findings[0]
    print(f"{found.sentence}: {', '.join(found.names)}. {found.advice}")
    train, test = samples.split(test_size=0.25)
    # --8<-- [end:leak]
    assert [f"{found.sentence}: {', '.join(found.names)}. {found.advice}"] == shown(symptom)
    assert not set(train.groups) & set(test.groups)


def test_weights_of_other_classes():
    symptom = "Weights that do not fit"
    keras_hpa.GapNet((32, 32, 2), 28).save_weights("other.weights.h5")
    check(symptom, ValueError, lambda: keras_hpa.GapNet((32, 32, 2), 3, weights="other.weights.h5"))
    # --8<-- [start:weights]
    model = keras_hpa.GapNet((32, 32, 2), 3, weights="other.weights.h5", weights_num_classes=28)
    # --8<-- [end:weights]
    assert model.output_shape == (None, 3)


@pytest.mark.slow
def test_loading_without_the_library():
    symptom = "A saved model does not load: a class"
    keras_hpa.GapNet((32, 32, 2), 3).save("model.keras")
    [quoted] = shown(symptom)
    script = "import keras\nkeras.saving.load_model('model.keras')"
    failed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert failed.returncode
    assert quoted.removesuffix(" ...") in failed.stderr


def test_function_that_is_not_registered():
    symptom = "A saved model does not load: a function"

    def my_loss(labels, scores):
        return keras.ops.mean(keras.ops.square(labels - scores))

    model = keras_hpa.GapNet((32, 32, 2), 3)
    model.compile("sgd", my_loss)
    model.fit(np.zeros((1, 32, 32, 2)), np.zeros((1, 3)), verbose=0)
    model.save("model.keras")
    check(symptom, TypeError, lambda: keras.saving.load_model("model.keras"))
    # --8<-- [start:function]
    model = keras.saving.load_model("model.keras", custom_objects={"my_loss": my_loss})  # to train on
    model = keras.saving.load_model("model.keras", compile=False)  # to predict
    # --8<-- [end:function]
    assert model.output_shape == (None, 3)


def test_backend_chosen_too_late(monkeypatch):
    symptom = "`KERAS_BACKEND` changes nothing"
    before = keras.backend.backend()
    monkeypatch.setenv("KERAS_BACKEND", "jax" if before != "jax" else "torch")
    assert keras.backend.backend() == before
    assert not shown(symptom)
