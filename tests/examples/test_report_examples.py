import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import own_images
import pytest
import report_gapnet
import report_inception_resnet_v2
from PIL import Image

import keras_hpa
from tests.helpers import check_loads_in_fresh_process

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:Under `rule=.report.` a class without positives"),
]
_SMALL = ["--image-size=80", "--batch-size=4", "--steps=2"]
_FILES = [
    "history.csv",
    "learning_curves.png",
    "model.keras",
    "report.html",
    "submission.csv",
    "thresholds.json",
    "thresholds.png",
]

_TRAIN_WITHOUT_GRAPHS = """
import functools, keras, report_gapnet
keras.Model.compile = functools.partialmethod(keras.Model.compile, run_eagerly=True)
report_gapnet.main()
"""


def _gapnet(data, output, *options):
    report_gapnet.main([f"--data={data}", f"--output={output}", *_SMALL, *options])


def _history(output):
    with (output / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize("preset", ["report", "kernel"])
def test_gapnet_writes_what_it_says(kaggle_folder, tmp_path, capsys, request, preset):
    if preset == "kernel":  # with "report" the script makes its graphs
        request.getfixturevalue("_without_graphs")
    users = ["stage_photos/a.png", "stage1_train/a.png", "best.pptx", "stage2.txt"]
    for name in users:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    _gapnet(kaggle_folder, tmp_path, "--epochs", "2", "--preset", preset, "--quick", f"--pack={tmp_path / 'pack'}")
    assert [(tmp_path / name).read_text() for name in users] == users
    assert set(_FILES) <= {path.name for path in tmp_path.iterdir()}
    printed = capsys.readouterr().out
    assert "--quick: batch norm momentum 0.9 in place of 0.99" in printed
    assert "image size" not in printed, "what the command line gives is not changed"
    for text in ("Rods & rings", "0.2 for all", "0.5 for all", "by rule ReportGrid", "by cross_fit"):
        assert text in printed

    assert keras_hpa.PackedSource(tmp_path / "pack").shape == (20, 80, 80, 4)
    assert f"GapNet, preset {preset}" in (tmp_path / "report.html").read_text()

    history = _history(tmp_path)
    assert history["stage"] == ["stage 1", "stage 1", "stage 2"]
    assert float(history["learning_rate"][0]) == pytest.approx({"report": 1e-3, "kernel": 1e-4}[preset])
    calibrator = keras_hpa.ThresholdCalibrator.load(tmp_path / "thresholds.json")
    assert calibrator.rule == keras_hpa.thresholds.ReportGrid({"report": 1e-4, "kernel": 0.0}[preset])
    num_validation = {"report": 4, "kernel": 2}[preset]
    validation = keras_hpa.load_kaggle(kaggle_folder)[-num_validation:]
    np.testing.assert_array_equal(calibrator.support_, validation.labels.sum(axis=0))

    with (tmp_path / "submission.csv").open() as file:
        submitted = list(csv.DictReader(file))
    with (kaggle_folder / "sample_submission.csv").open() as file:
        assert [row["Id"] for row in submitted] == [row["Id"] for row in csv.DictReader(file)]
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert not any("optimizer" in path for path in _weight_paths(model))
    images = np.concatenate([*keras_hpa.load_kaggle(kaggle_folder, "test").batches()])
    expected = keras_hpa.format_labels(calibrator.predict(model.predict(images, verbose=0)))
    assert [row["Predicted"] for row in submitted] == expected
    check_loads_in_fresh_process(model, images, tmp_path)


@pytest.mark.usefixtures("_without_graphs")
def test_gapnet_killed_and_resumed_is_as_if_it_had_not_been(kaggle_folder, tmp_path):
    command = [sys.executable, "-c", _TRAIN_WITHOUT_GRAPHS, "--data", kaggle_folder, "--output", tmp_path / "killed"]
    folders = [Path(keras_hpa.__file__).parents[1], Path(report_gapnet.__file__).parent]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, folders))}
    process = subprocess.Popen([*command, *_SMALL, "--epochs=100000"], stdout=subprocess.DEVNULL, env=environment)
    backup = tmp_path / "killed" / "stage1" / "backup.json"
    deadline = time.monotonic() + 600
    while not (backup.exists() and json.loads(backup.read_text())["epochs"] >= 2):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    epochs = json.loads(backup.read_text())["epochs"] + 2

    _gapnet(kaggle_folder, tmp_path / "killed", f"--epochs={epochs}", "--resume")
    _gapnet(kaggle_folder, tmp_path / "whole", f"--epochs={epochs}")
    whole, resumed = _history(tmp_path / "whole"), _history(tmp_path / "killed")
    assert whole["epoch"] == resumed["epoch"] == [*(str(epoch + 1) for epoch in range(epochs)), "1"]
    assert whole["learning_rate"] == resumed["learning_rate"]
    for name in ("loss", "val_loss", "val_macro_f1"):
        np.testing.assert_allclose(np.float64(resumed[name]), np.float64(whole[name]), rtol=1e-5, err_msg=name)
    states = [json.loads((tmp_path / run / "stage1/backup.json").read_text()) for run in ("whole", "killed")]
    best, resumed_best = (state["callbacks"][1]["state"]["best"] for state in states)
    assert states[0]["callbacks"][1]["name"] == "KeepBest"
    assert resumed_best == pytest.approx(best, rel=1e-5)
    assert best == pytest.approx(min(np.float64(whole["val_loss"][:-1])))


@pytest.mark.usefixtures("_without_graphs")
def test_stopping_keeps_what_was_trained_and_resuming_trains_what_is_missing(kaggle_folder, tmp_path, capsys):
    stop_in = {"epoch": 1}

    def interrupt(backup, epoch, logs=None):
        backup._learning_rate = 0.0
        if epoch == stop_in["epoch"]:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras_hpa.TrainingBackup, "on_epoch_begin", interrupt)
        _gapnet(kaggle_folder, tmp_path, "--epochs=3")
        assert "Stage 1 stopped" in capsys.readouterr().out
        assert _history(tmp_path)["stage"] == ["stage 1"], "Ctrl-C ends the training, not one stage of it"
        assert (tmp_path / "submission.csv").exists()
        stop_in["epoch"] = 0
        patch.setattr(keras_hpa, "write_submission", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            _gapnet(kaggle_folder, tmp_path / "at_once", "--epochs=3")
        assert (tmp_path / "at_once" / "model.keras").exists(), "the model is saved before anything else"

    _gapnet(kaggle_folder, tmp_path, "--epochs=2", "--resume")
    assert "resumed after epoch 1 of 2" in capsys.readouterr().out
    trained = keras.saving.load_model(tmp_path / "model.keras").get_weights()
    _gapnet(kaggle_folder, tmp_path, "--epochs=3", "--resume")
    assert _history(tmp_path)["stage"] == ["stage 1"] * 3 + ["stage 2"], "stage two is trained anew on top of stage one"
    longer = keras.saving.load_model(tmp_path / "model.keras").get_weights()
    assert not all(np.array_equal(a, b) for a, b in zip(trained, longer, strict=True))


@pytest.mark.parametrize("name", ["best.keras", "stage1/a.png", "model.keras", "report.html", "run.json"])
def test_folder_with_files_that_a_run_would_replace_is_refused(kaggle_folder, tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("{}")
    for option in ("--epochs=1", "--resume"):
        with pytest.raises(ValueError, match=r"run\.json"):
            _gapnet(kaggle_folder, tmp_path, option)
    assert (tmp_path / name).read_text() == "{}"


@pytest.mark.usefixtures("_without_graphs")
@pytest.mark.parametrize("preset", ["report", "kernel"])
def test_inception_script_with_a_small_backbone(kaggle_folder, tmp_path, capsys, preset):
    small = ["--image-size=64", "--batch-size=4", "--steps=1", "--epochs=1", "--backbone=MobileNet", "--weights=none"]
    folders = [f"--data={kaggle_folder}", f"--output={tmp_path}", f"--pack={tmp_path / 'pack'}"]
    report_inception_resnet_v2.main([*folders, *small, f"--preset={preset}"])
    assert set(_FILES) <= {path.name for path in tmp_path.iterdir()}
    stages = {"report": ["stage 1"], "kernel": ["stage 1", "stage 2"]}[preset]
    assert _history(tmp_path)["stage"] == stages
    calibrator = keras_hpa.ThresholdCalibrator.load(tmp_path / "thresholds.json")
    if preset == "kernel":
        np.testing.assert_array_equal(calibrator.thresholds_, 0.2)
    mixer = keras.saving.load_model(tmp_path / "model.keras").get_layer("mixer")
    assert mixer.matrix == preset


def test_rotations_and_flips_are_as_likely_as_the_notebook_had_them():
    image = np.arange(4).reshape(2, 2, 1)
    rng = np.random.default_rng(0)
    drawn = [tuple(report_inception_resnet_v2.rotate_or_flip(image, rng).ravel()) for _ in range(6000)]
    sixth = {
        (0, 1, 2, 3): 2 / 6,  # not rotated, or chosen to be flipped and then not
        (1, 3, 0, 2): 1 / 6,
        (3, 2, 1, 0): 1 / 6,
        (2, 0, 3, 1): 1 / 6,
        (1, 0, 3, 2): 1 / 12,
        (2, 3, 0, 1): 1 / 12,
    }
    assert set(drawn) == set(sixth)
    for outcome, probability in sixth.items():
        assert drawn.count(outcome) / 6000 == pytest.approx(probability, abs=0.02)


@pytest.mark.usefixtures("_without_graphs")
def test_own_images_with_other_channels_and_classes(tmp_path):
    random = np.random.default_rng(0)
    (tmp_path / "new").mkdir()
    rows = []
    for number in range(16):
        labels = [["Rim"], ["Rim", "Spots"]][number % 2]
        rows.append((f"well{number}", ";".join(labels)))
        for folder, name in ((tmp_path, f"well{number}"), (tmp_path / "new", f"fresh{number}")):
            for channel in ("dapi", "gfp"):
                picture = random.integers(0, 255, (90, 80), dtype=np.uint8)
                Image.fromarray(picture).save(folder / f"{name}-{channel}.png")
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "places"), *rows])

    folders = [f"--images={tmp_path}", f"--labels={tmp_path / 'labels.csv'}", f"--predict={tmp_path / 'new'}"]
    names = ["--pattern={id}-{channel}.png", "--id-column=image", "--label-column=places", "--separator=;"]
    small = ["--channels=dapi,gfp", "--image-size=76", "--batch-size=4", "--epochs=1"]
    own_images.main([*folders, *names, *small, f"--output={tmp_path / 'out'}", f"--pack={tmp_path / 'pack'}"])
    assert keras_hpa.PackedSource(tmp_path / "pack").channels == ("dapi", "gfp")
    report = (tmp_path / "out" / "report.html").read_text()
    assert all(text in report for text in ("Rim", "Spots", "dapi", "well"))
    with (tmp_path / "out" / "predictions.csv").open() as file:
        predicted = list(csv.DictReader(file))
    assert sorted(row["id"] for row in predicted) == sorted(f"fresh{number}" for number in range(16))
    assert {label for row in predicted for label in row["labels"].split(";")} <= {"Rim", "Spots", ""}
    assert keras.saving.load_model(tmp_path / "out" / "model.keras").input_shape == (None, 76, 76, 2)


def _weight_paths(model):
    return [weight.path for weight in model.variables]
