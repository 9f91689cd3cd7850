import csv

import finetune_gapnet_pl
import imagenet_four_channels
import keras
import numpy as np
import pytest

import keras_hpa

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("_without_graphs")]
_SMALL = ["--image-size=64", "--batch-size=4", "--steps=1", "--epochs=1"]
_FILES = {
    "history.csv",
    "learning_curves.png",
    "model.keras",
    "report.html",
    "thresholds.json",
    "validation_scores.npz",
}


def test_imagenet_example_trains_the_head_and_then_everything(kaggle_folder, tmp_path):
    folders = [f"--data={kaggle_folder}", f"--output={tmp_path}", f"--pack={tmp_path / 'pack'}"]
    imagenet_four_channels.main([*folders, "--weights=none", *_SMALL])
    assert {path.name for path in tmp_path.iterdir()} >= _FILES
    assert _stages(tmp_path) == ["head", "everything"]
    _check_model_gives_the_validation_scores(kaggle_folder, tmp_path)


@pytest.mark.real_data
def test_gapnet_pl_example_learns_new_classes_on_published_weights(kaggle_folder, tmp_path, real_data):
    checkpoint = real_data / "gapnet_pl" / "gapnet-pl.ckpt"
    folders = [f"--data={kaggle_folder}", f"--output={tmp_path}", f"--weights={checkpoint}"]
    finetune_gapnet_pl.main([*folders, *_SMALL, "--learning-rate=1e-4"])
    assert {path.name for path in tmp_path.iterdir()} >= {*_FILES, "gapnet_pl.weights.h5"}
    assert _stages(tmp_path) == ["new classes", "everything"]
    _check_model_gives_the_validation_scores(kaggle_folder, tmp_path)


def _stages(folder):
    with (folder / "history.csv").open() as file:
        return [row["stage"] for row in csv.DictReader(file)]


def _check_model_gives_the_validation_scores(kaggle_folder, folder):
    samples = keras_hpa.load_kaggle(kaggle_folder)
    model = keras.saving.load_model(folder / "model.keras")
    with np.load(folder / "validation_scores.npz") as validation:
        scored = samples[validation["ids"]]
        np.testing.assert_array_equal(validation["labels"], scored.labels)
        images = scored.batches(image_size=model.input_shape[1:3], dtype="source")
        np.testing.assert_allclose(model.predict(images, verbose=0), validation["scores"], atol=1e-5)
