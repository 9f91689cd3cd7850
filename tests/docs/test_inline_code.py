"""The code that stands on a page itself, not cut from a test, runs as it is written: in order, on small stand-ins."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
from cut_code import CUT, with_code

import keras_hpa
from tests.models.test_gapnet_pl import checkpoint as checkpoint

DOCS = Path(__file__).parents[2] / "docs"


def own_code(page):
    return re.findall(r"```python\n(.*?)```", CUT.sub("", (DOCS / page).read_text()), re.DOTALL)


def run(page, names, smaller=()):
    """Runs the blocks of a page; `smaller` says what is written there and what takes its place."""
    code = "\n".join(own_code(page))
    assert code
    for written, replaced in smaller:
        assert written in code, f"{page} has no {written}"
        code = code.replace(written, replaced)
    names |= {"keras": keras, "keras_hpa": keras_hpa}
    exec(compile(code, page, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_every_page_with_code_of_its_own_is_run():
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md") if own_code(page)}
    assert pages == {
        f"explanation/{page}.md" for page in ("inference", "losses", "models", "synthetic-atlas", "thresholds")
    }


@pytest.mark.parametrize(
    "page", [page for page in DOCS.rglob("*.md") if CUT.search(page.read_text())], ids=lambda page: page.stem
)
def test_pages_show_what_the_tests_run(page):
    text = page.read_text()
    assert with_code(text) == text, "python docs/scripts/cut_code.py writes it again"
    assert "```python\n--8<--" not in text


def test_synthetic_atlas():
    smaller = [("(1000, image_size=(256, 256)", "(20, image_size=(32, 32)"), ("num_test=200", "num_test=2")]
    names = run("explanation/synthetic-atlas.md", {}, smaller)
    assert names["image"].shape == (32, 32, 4)
    assert "Nucleoli" in names["masks"]


def test_losses():
    assert run("explanation/losses.md", {})["model"].output_shape == (None, 28)


def test_thresholds(capsys):
    rng = np.random.default_rng(0)
    scores, labels = rng.random((60, 28)), rng.integers(0, 2, (60, 28))
    inputs = keras.Input((28,))
    model = keras.Model(inputs, keras.layers.Activation("linear")(inputs))
    given = {"val_scores": scores, "test_scores": scores, "held_out_scores": scores, "model": model}
    names = run("explanation/thresholds.md", given | {"val_labels": labels, "held_out_labels": labels})
    np.testing.assert_array_equal(names["model_with_labels"].predict(scores, verbose=0), names["labels"])


@pytest.mark.slow
def test_models(checkpoint, tmp_path, monkeypatch):
    for name in ("InceptionResNetV2", "EfficientNetB0"):
        build = getattr(keras.applications, name)
        monkeypatch.setattr(keras.applications, name, lambda build=build, **given: build(**given | {"weights": None}))
    (tmp_path / "models").symlink_to(checkpoint.parent)
    names = {"images": np.ones((1, 32, 32, 4))}
    smaller = [("(512, 512, 4),\n    13", "(32, 32, 4),\n    13")]
    assert run("explanation/models.md", names, smaller)["probabilities"].shape == (1, 13)


def test_inference(tmp_path):
    source = keras_hpa.ArraySource(np.random.default_rng(0).integers(256, size=(2, 96, 96, 4)).astype("uint8"))
    models = [keras_hpa.GapNet((80, 80, 4), 28, filters=(4, 4, 4)) for _ in range(2)]
    images = source.images[:1, :80, :80] / 255
    scores = keras_hpa.predict_scores(models[0], keras_hpa.MultiChannelSequence(source, image_size=80), verbose=0)
    calibrator = keras_hpa.ThresholdCalibrator("fixed").fit(scores, np.zeros((2, 28), int))
    given = {"source": source, "model": models[0], "fold_models": models, "calibrator": calibrator, "images": images}
    names = run("explanation/inference.md", given, [("image_size=512", "image_size=80")])
    assert names["scores"].shape == (2, 28)
    assert names["maps"].shape == (1, 80, 80, 2)
    assert (tmp_path / "seen.png").exists()
