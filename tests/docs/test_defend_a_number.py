"""The code of docs/how-to/defend-a-number.md."""

import csv

import numpy as np
import pytest

from tests.docs.quoted_messages import check_quoted_messages

NAMES = ["Nucleoplasm", "Cytosol", "Nucleoli", "Rods & rings"]


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """scores.csv of one model and newer.csv of another on 600 images of 150 antibodies."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    antibodies = np.repeat(np.arange(150), 4)
    labels = (rng.random((150, 4)) < [0.5, 0.4, 0.2, 0.01])[antibodies]
    labels[-1, 3] = True
    noise = 0.6 * rng.normal(size=(150, 4))[antibodies] + 0.8 * rng.normal(size=labels.shape)
    for name, skill in (("scores.csv", 2.5), ("newer.csv", 4.0)):
        scores = 1 / (1 + np.exp(-2 * (noise + skill * labels - skill / 2)))
        with open(name, "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["Id", "Target", "Antibody", *NAMES])
            for row, present in enumerate(labels):
                target = "|".join(np.array(NAMES)[present])
                writer.writerow([f"image{row}", target, f"HPA{antibodies[row]:06d}", *scores[row].round(6)])


@pytest.mark.usefixtures("tables")
def test_the_page(capsys):
    # --8<-- [start:read]
    import pandas

    import keras_hpa

    names = ["Nucleoplasm", "Cytosol", "Nucleoli", "Rods & rings"]
    table = pandas.read_csv("scores.csv", keep_default_na=False)
    scores = table[names].to_numpy()
    labels = keras_hpa.parse_labels(table["Target"], names, separator="|", allow_empty=True)
    groups = table["Antibody"]
    # --8<-- [end:read]

    # --8<-- [start:evaluate]
    evaluation = keras_hpa.evaluation.evaluate(scores, labels, groups=groups, class_names=names)
    print(evaluation)
    evaluation.to_csv("evaluation.csv")
    evaluation.to_html("evaluation.html")
    evaluation.plot("average_precision").savefig("evaluation.png")
    # --8<-- [end:evaluate]
    printed = capsys.readouterr().out
    assert "not enough" in printed
    assert "95% intervals over groups" in printed
    assert evaluation["Rods & rings"]["roc_auc_method"] == "not enough"

    # --8<-- [start:compare]
    newer = pandas.read_csv("newer.csv", keep_default_na=False)[names].to_numpy()
    comparison = keras_hpa.evaluation.compare(
        scores, newer, labels, groups, metric="macro_average_precision", class_names=names
    )
    print(comparison)
    print(comparison.sentence())
    # --8<-- [end:compare]
    assert capsys.readouterr().out.rstrip().endswith("groups drawn); the second model is better.")

    # --8<-- [start:promise]
    rule = keras_hpa.thresholds.Precision(at_least=0.9, confidence=0.95)
    calibrator = keras_hpa.ThresholdCalibrator(rule, class_names=names).fit(newer, labels, groups=groups)
    for name, threshold, flags in zip(names, calibrator.thresholds_, calibrator.flags_, strict=True):
        print(f"{name}: {threshold:.3f} {', '.join(flags)}")
    # --8<-- [end:promise]
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("Rods & rings: inf few positives, promise impossible")
    assert "promise" not in lines[0]

    # --8<-- [start:abstain]
    rule = keras_hpa.thresholds.Promises(precision=0.9, recall=0.9, confidence=0.95)
    calibrator = keras_hpa.ThresholdCalibrator(rule, class_names=names).fit(newer, labels, groups=groups)
    answers = calibrator.predict(newer, abstain=True)
    for name, column in zip(names, answers.T, strict=True):
        print(f"{name}: {(column == 1).sum()} yes, {(column == 0).sum()} no, {(column == -1).sum()} to look at")
    # --8<-- [end:abstain]
    lines = capsys.readouterr().out.splitlines()
    assert lines[3] == "Rods & rings: 0 yes, 0 no, 600 to look at"

    # --8<-- [start:probabilities]
    calibrator = keras_hpa.ProbabilityCalibrator(class_names=names).fit(scores, labels, groups=groups)
    probabilities = calibrator.transform(scores)
    calibrator.save("calibrator.json")
    # --8<-- [end:probabilities]
    np.testing.assert_allclose(probabilities.mean(axis=0), labels.mean(axis=0), rtol=0.1, atol=0.01)
    assert keras_hpa.ProbabilityCalibrator.load("calibrator.json").support_.tolist() == labels.sum(axis=0).tolist()

    there = newer[labels[:, 0] == 0]
    # --8<-- [start:prevalence]
    estimate = keras_hpa.thresholds.estimate_prevalence(newer, labels, there)
    for name, share, low, high, is_told in zip(names, *estimate, strict=True):
        print(f"{name}: {share:.2f} ({low:.2f} to {high:.2f}){'' if is_told else ', not told'}")
    rule = keras_hpa.thresholds.Prevalence(from_scores=there)
    calibrator = keras_hpa.ThresholdCalibrator(rule, class_names=names).fit(newer, labels)
    # --8<-- [end:prevalence]
    lines = capsys.readouterr().out.splitlines()
    assert estimate.shares[0] < 0.1 < labels[:, 0].mean()
    assert [line.split(":")[0] for line in lines] == NAMES
    assert calibrator.thresholds_[0] > keras_hpa.ThresholdCalibrator("prevalence").fit(newer, labels).thresholds_[0]

    images = np.random.default_rng(0).integers(255, size=(len(labels), 32, 32, 2), dtype=np.uint8)
    metadata = {"plate": [f"plate {number % 4}" for number in range(len(labels))]}
    samples = keras_hpa.Samples(keras_hpa.ArraySource(images), labels, groups=list(groups), metadata=metadata)
    train, test = samples[:450], samples[448:]
    # --8<-- [start:split]
    report = keras_hpa.evaluation.check_split(train, test, plates="plate")
    print(report)
    report.to_frame().to_csv("split.csv")
    # --8<-- [end:split]
    assert "2 ids on both sides: 448, 449. Remove them from one side." in capsys.readouterr().out

    evaluate = keras_hpa.evaluation.evaluate
    check_quoted_messages(
        "how-to/defend-a-number.md",
        [
            (ValueError, lambda: evaluate(scores, labels, class_names=names[:2])),
            (ValueError, lambda: evaluate(scores, labels, groups=["a", "b"])),
        ],
    )
