import best_recipe
import keras
import pytest

from keras_hpa import SyntheticAtlas, ThresholdCalibrator


@pytest.mark.parametrize("weights", [[], ["--weights=drawn"]])
def test_the_recipe_trains_on_a_folder_and_says_what_it_is_worth(tmp_path, capsys, weights):
    SyntheticAtlas(120, image_size=64, balance="uniform").save(tmp_path / "data")
    best_recipe.main(["--quick", f"--data={tmp_path / 'data'}", f"--output={tmp_path / 'out'}", *weights])
    assert keras.saving.load_model(tmp_path / "out" / "model.keras").output_shape == (None, 28)
    assert len(ThresholdCalibrator.load(tmp_path / "out" / "thresholds.json").thresholds_) == 28
    printed = capsys.readouterr().out
    assert "Nucleoplasm" in printed
    assert "macro" in printed
