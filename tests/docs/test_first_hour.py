"""The code of docs/how-to/first-hour.md; tests/newcomer.sh runs what the built page shows of it."""

import pytest

import keras_hpa
from tests.docs.lab import write_lab


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("_short_trainings")
def test_the_page(tmp_path, monkeypatch, capsys):
    for name in ("openpyxl", "tf2onnx", "onnxruntime"):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    write_lab(tmp_path)
    import keras
    import numpy as np

    # --8<-- [start:read]
    samples = keras_hpa.load_table(
        "labels.xlsx",
        "images",
        pattern="{id}.tif",
        channels=["microtubules", "protein", "nucleus", "er"],
        label_columns="location",
        groups="slide",
    )
    print(keras_hpa.validate(samples))
    # --8<-- [end:read]
    assert "20 samples, 0 of which cannot be read" in capsys.readouterr().out

    # --8<-- [start:train]
    def train_network(samples):
        network = keras_hpa.GapNet(
            (None, None, len(samples.channels)),
            len(samples.class_names),
            weights="drawn",
            channels=samples.channels,
        )
        network.compile("adam", "binary_crossentropy")
        network.fit(samples.batches(batch_size=8, shuffle=True, augment="dihedral"), epochs=15, verbose=2)
        return network

    scores = np.zeros(samples.labels.shape)
    for train, test in samples.folds(4):
        rows = [samples.ids.index(sample) for sample in test.ids]
        scores[rows] = keras_hpa.predict_scores(train_network(train), test)
    # --8<-- [end:train]
    assert (scores > 0).all()

    # --8<-- [start:sentence]
    macro = keras_hpa.evaluation.evaluate(scores, samples)["macro"]
    print(
        f"On {len(samples)} images of {len(set(samples.groups))} slides, none of which the network had seen, "
        f"the mean ROC AUC over {len(samples.class_names)} classes was {macro['roc_auc']:.2f} "
        f"(95 % interval {macro['roc_auc_low']:.2f} to {macro['roc_auc_high']:.2f})."
    )
    # --8<-- [end:sentence]
    assert "none of which the network had seen" in capsys.readouterr().out

    # --8<-- [start:hand]
    calibrator = keras_hpa.ThresholdCalibrator(class_names=samples.class_names).fit(scores, samples.labels)
    keras_hpa.inference.write_predictions("predictions.xlsx", samples, scores, calibrator)
    network = train_network(samples)
    keras_hpa.export.onnx(
        network, "network.onnx", calibrator, input_dtype=samples.read(0).dtype.name, channels=samples.channels
    )
    # --8<-- [end:hand]
    assert isinstance(network, keras.Model)
    import onnxruntime

    session = onnxruntime.InferenceSession("network.onnx")
    probabilities, labels = session.run(["probabilities", "labels"], {"images": np.zeros((1, 160, 160, 4), np.uint8)})
    assert probabilities.shape == labels.shape == (1, 2)
