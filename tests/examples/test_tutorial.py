import keras
import numpy as np
import pytest
import tutorial

from keras_hpa import ThresholdCalibrator
from keras_hpa.evaluation import compare


@pytest.mark.slow
def test_tutorial_gives_a_submission_and_ends_with_a_comparison(tmp_path, capsys):
    tutorial.main(["--quick", f"--output={tmp_path}"])
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    assert lines[0] == "Id,Predicted"
    assert len(lines) == 21
    assert len(ThresholdCalibrator.load(tmp_path / "thresholds.json").thresholds_) == 28
    assert keras.saving.load_model(tmp_path / "model.keras").output_shape == (None, 28)
    assert (tmp_path / "channels.png").stat().st_size > 1000
    lines = capsys.readouterr().out.splitlines()
    assert any("macro-F1 at fitted thresholds" in line for line in lines)
    with np.load(tmp_path / "comparison.npz") as answers:
        sentence = compare(answers["first"], answers["second"], answers["labels"]).sentence()
    assert lines[-1] == sentence
