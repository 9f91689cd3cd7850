"""The code of docs/how-to/many-machines.md, on Ray on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages
from tests.inference.scored import SOURCE, make_model


def _calibrator():
    rng = np.random.default_rng(0)
    return keras_hpa.ThresholdCalibrator().fit(rng.random((60, 5)), rng.integers(0, 2, (60, 5)))


@pytest.mark.slow
def test_the_page(ray, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    make_model().save("model.keras")
    samples = keras_hpa.Samples(SOURCE)
    calibrator = _calibrator()
    # --8<-- [start:laptop]
    errors = keras_hpa.cluster.score("model.keras", samples, "screen", num_workers=2)
    # --8<-- [end:laptop]
    assert errors == {}
    # --8<-- [start:workstation]
    errors = keras_hpa.cluster.score(
        "model.keras",
        samples,
        "screen-embedded",
        num_workers=2,
        num_gpus=1,
        num_cpus=4,
        embedding=True,
        decide=calibrator,
        on_error="record",
    )
    # --8<-- [end:workstation]
    assert errors == {}
    # --8<-- [start:cluster]
    errors = keras_hpa.cluster.score(
        "model.keras", samples, "screen-all", num_workers=320, block_size=4096, address="auto", on_error="record"
    )
    # --8<-- [end:cluster]
    assert errors == {}
    # --8<-- [start:read]
    import numpy as np
    import pandas

    table = pandas.read_parquet("screen/scores")
    scores = np.stack(table["scores"])
    print(table["id"][0], scores.shape)
    # --8<-- [end:read]
    assert capsys.readouterr().out.endswith("cell a (7, 5)\n")
    for name in ("screen-embedded", "screen-all"):
        other = pandas.read_parquet(Path(name) / "scores")
        assert other["id"].tolist() == list(samples.ids)
        np.testing.assert_allclose(np.stack(other["scores"]), scores, rtol=0, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_several_gpus(backend, tmp_path):
    pytest.importorskip(backend)
    script = Path(__file__).with_name("train_on_several_gpus.py")
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(script.parents[2])}
    paths = [tmp_path / "one.npy", tmp_path / "two.npy"]
    for devices, path in enumerate(paths, 1):
        command = [sys.executable, script, str(devices), path]
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    one, two = map(np.load, paths)
    assert two.shape == (8, 28)
    if backend == "jax":  # on TensorFlow each device has a dropout of its own
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-4)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="Keras can on the others")
def test_torch_has_no_data_parallelism():
    with pytest.raises(AttributeError):
        keras.distribution.DataParallel()


def test_what_goes_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("model.keras", "other.keras", "results"):
        Path(name).touch()

    def score(models, output, **options):
        return lambda: keras_hpa.cluster.score(models, SOURCE, output, num_workers=2, **options)

    check_quoted_messages(
        "how-to/many-machines.md",
        [
            (ValueError, score("model.keras", "results")),
            (ValueError, score(["model.keras", "other.keras"], "screen", embedding=True)),
        ],
    )
