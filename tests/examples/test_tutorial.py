import keras
import numpy as np
import pytest
import tutorial

from keras_hpa import ArraySource, MultiChannelSequence, SyntheticAtlas, ThresholdCalibrator


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


def test_what_goes_wrong(tmp_path):
    (tmp_path / "thesis.tex").touch()
    atlas = SyntheticAtlas(2, image_size=(32, 32))
    with pytest.raises(ValueError, match=r"`root` must be empty or hold what an earlier `save` left. .*thesis.tex"):
        atlas.save(tmp_path)
    source = ArraySource(np.zeros((2, 8, 8, 4), "uint8"))
    with pytest.raises(ValueError, match=r"`image_size` must be \(height, width\), or one number for both. Received: "):
        MultiChannelSequence(source, image_size=(96, 96, 4))
