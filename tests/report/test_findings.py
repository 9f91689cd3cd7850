import numpy as np

from keras_hpa.report.findings import find_what_to_look_at


def test_findings_name_what_is_unusual():
    names = {"silent": (20, 0, 0.0), "often": (20, 50, 0.4), "rare": (3, 3, 1.0), "good": (20, 20, 0.9)}
    rows = [
        {"class": name, "support": support, "predicted": predicted, "f_beta": f1}
        for name, (support, predicted, f1) in names.items()
    ]
    rows.append({"class": "absent", "support": 0, "predicted": 0, "f_beta": 0.0})
    predicted = np.ones((10, 5))
    predicted[:4] = 0
    histories = {"one": {"val_loss": [2, 1]}, "two": {"val_loss": [1, 2, 3]}, "three": {"val_loss": [1, np.nan]}}
    findings = find_what_to_look_at(rows, np.ones((10, 5)), predicted, histories)
    told = [classes for _, classes in findings]
    assert told[:5] == ["silent (20 samples)", "often (50 for 20)", "silent (0.00), often (0.40)", "rare (3)", "absent"]
    assert "4 of 10 samples get no label" in findings[5][0]
    endings = ("longer training may do better", "epoch 1 of 3, 1.000, and 3.000 at the end", "may help")
    assert all(ending in sentence for ending, (sentence, _) in zip(endings, findings[6:], strict=True))
