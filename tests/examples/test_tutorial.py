import keras
import pytest
import tutorial

from keras_hpa import ThresholdCalibrator


@pytest.mark.slow
def test_tutorial_ends_with_a_submission(tmp_path, capsys):
    tutorial.main(["--quick", f"--output={tmp_path}"])
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    assert lines[0] == "Id,Predicted"
    assert len(lines) == 21
    assert len(ThresholdCalibrator.load(tmp_path / "thresholds.json").thresholds_) == 28
    assert keras.saving.load_model(tmp_path / "model.keras").output_shape == (None, 28)
    assert (tmp_path / "channels.png").stat().st_size > 1000
    assert "macro-F1 at fitted thresholds" in capsys.readouterr().out
