"""The code of docs/how-to/choosing-thresholds.md."""

import keras
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture
def scored(tmp_path, monkeypatch):
    """Scores of 400 samples to fit on and 400 to report on; of the last class the first 400 have none."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    labels = (rng.random((800, 3)) < [0.4, 0.05, 0.03]).astype("uint8")
    labels[:400, 2] = 0
    logits = rng.normal(size=labels.shape) + 3 * labels - [1.5, 3, 3]
    scores = (1 / (1 + np.exp(-logits))).astype("float32")
    return scores[:400], labels[:400], scores[400:], labels[400:]


def test_from_scores_to_a_file(scored, capsys):
    validation_scores, validation_labels, test_scores, test_labels = scored
    # --8<-- [start:fit]
    names = ["Nucleoplasm", "Lysosomes", "Rods & rings"]
    calibrator = keras_hpa.ThresholdCalibrator(class_names=names).fit(validation_scores, validation_labels)
    predicted = calibrator.predict(test_scores)  # 1 where score >= threshold
    # --8<-- [end:fit]
    np.testing.assert_array_equal(predicted, test_scores >= calibrator.thresholds_)

    # --8<-- [start:report]
    print(calibrator.report(test_scores, test_labels))
    print(f"macro-F1 {calibrator.score(test_scores, test_labels):.3f}")
    # --8<-- [end:report]
    report, macro_f1 = capsys.readouterr().out.rsplit("macro-F1", 1)
    assert "Rods & rings" in report
    assert "no positives" in report
    assert 0.5 < float(macro_f1) < 1

    # --8<-- [start:cross_fit]
    expected = keras_hpa.cross_fit(calibrator, validation_scores, validation_labels)
    print(f"macro-F1 {expected:.3f} at thresholds fitted on the other half")
    # --8<-- [end:cross_fit]
    assert capsys.readouterr().out.startswith("macro-F1 0.")

    # --8<-- [start:absent]
    rule = keras_hpa.thresholds.Auto(absent_classes="never")
    cautious = keras_hpa.ThresholdCalibrator(rule).fit(validation_scores, validation_labels)
    absent = [names[number] for number, flags in enumerate(cautious.flags_) if "no positives" in flags]
    # --8<-- [end:absent]
    assert absent == ["Rods & rings"]
    assert np.isinf(cautious.thresholds_[2])
    assert calibrator.thresholds_[2] > validation_scores[:, 2].max()

    # --8<-- [start:at_least_one]
    complete = keras_hpa.ThresholdCalibrator(at_least_one=True).fit(validation_scores, validation_labels)
    # --8<-- [end:at_least_one]
    assert complete.predict(test_scores).any(axis=1).all()
    assert not predicted.any(axis=1).all()

    # --8<-- [start:save]
    calibrator.save("thresholds.json")
    calibrator = keras_hpa.ThresholdCalibrator.load("thresholds.json")
    # --8<-- [end:save]
    np.testing.assert_array_equal(calibrator.predict(test_scores), predicted)

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Identity()(inputs))
    # --8<-- [start:layer]
    labeller = keras.Sequential([model, calibrator.as_layer(name="labels")])
    labeller.save("labeller.keras")
    # --8<-- [end:layer]
    loaded = keras.saving.load_model("labeller.keras")
    np.testing.assert_array_equal(loaded.predict(test_scores, verbose=0), predicted)


def test_folds(scored):
    scores_of, labels, _, _ = scored

    def fit_model(samples):
        return scores_of

    def predict(model, samples):
        return model[samples]

    # --8<-- [start:folds]
    scores = np.empty(labels.shape, "float32")
    for train, held_out in keras_hpa.stratified_folds(labels, num_folds=5):
        scores[held_out] = predict(fit_model(train), held_out)
    calibrator = keras_hpa.ThresholdCalibrator().fit(scores, labels)
    # --8<-- [end:folds]
    np.testing.assert_array_equal(scores, scores_of)
    assert not set(train) & set(held_out)
    assert calibrator.support_.tolist() == labels.sum(axis=0).tolist()


def test_what_goes_wrong(scored):
    scores, labels, _, _ = scored
    names = ["Nucleoplasm", "Lysosomes", "Rods & rings"]
    calibrator = keras_hpa.ThresholdCalibrator(class_names=names).fit(scores, labels)
    check_quoted_messages(
        "how-to/choosing-thresholds.md",
        [
            (ValueError, lambda: calibrator.fit(labels, np.full(labels.shape, 0.25))),
            (ValueError, lambda: calibrator.fit(np.full(labels.shape, -1.25), labels)),
            (ValueError, lambda: calibrator.fit(scores, labels[1:])),
            (ValueError, lambda: calibrator.predict(scores[:, :2])),
            (UserWarning, lambda: keras_hpa.ThresholdCalibrator("report").fit(scores, labels)),
        ],
    )
