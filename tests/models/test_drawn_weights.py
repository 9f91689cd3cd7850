"""The weights that come with the package: the file, what they know, and how images meet them."""

import hashlib
from pathlib import Path

import keras
import numpy as np
import pytest
import weights

import keras_hpa
from keras_hpa.models.published_weights import PUBLISHED

PUBLISHED_WEIGHTS = PUBLISHED["drawn"]
FILE = PUBLISHED_WEIGHTS.find()


@pytest.fixture(scope="module")
def drawings():
    """Floats and labels of drawings of a seed that no training saw."""
    samples = keras_hpa.SyntheticAtlas(280, image_size=96, balance="uniform", seed=404).samples
    images = np.stack([samples.read(number) for number in range(len(samples))])
    return images.astype("float32") / 255, samples.labels


@pytest.fixture(scope="module")
def model():
    return keras_hpa.GapNet((None, None, 4), 28, weights="drawn")


def predicted(model, images):
    return model.predict(images, batch_size=32, verbose=0)


def test_the_file_is_the_one_whose_digest_stands_here_and_on_the_card():
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert PUBLISHED_WEIGHTS.files == {FILE.name: digest}
    card = Path(__file__).parents[2] / "docs" / "explanation" / "drawn-weights.md"
    assert digest in card.read_text()
    assert sum(path.stat().st_size for path in FILE.parent.iterdir()) < 6e6


def test_they_tell_drawings_apart_that_they_never_saw(model, drawings):
    images, labels = drawings
    assert weights.field_auc(labels, predicted(model, images)) > 0.85
    at_random = keras_hpa.GapNet((None, None, 4), 28, variant=PUBLISHED_WEIGHTS.variant)
    assert weights.field_auc(labels, predicted(at_random, images)) < 0.65


def test_statistics_follow_whoever_trains_on(model):
    layers = [layer for layer in model.layers if isinstance(layer, keras_hpa.WarmUpBatchNormalization)]
    assert layers
    assert all(float(layer.updates) == 0 for layer in layers)


def test_exposure_and_background_do_not_matter(model, drawings):
    images = drawings[0][:8] * 0.5
    others = images * np.array([0.3, 2, 0.7, 1], "float32") + np.array([0, 0, 0.2, 0.1], "float32")
    np.testing.assert_allclose(predicted(model, others), predicted(model, images), atol=1e-3)


def test_two_stains_of_integers_and_other_classes(model, drawings):
    counts = np.round(drawings[0][:4, ..., [2, 1]] * 4095).astype("uint16")
    mapped = keras_hpa.GapNet(
        (96, 96, 2), 5, weights="drawn", channels={"nucleus": "dapi", "protein": "gfp"}, input_dtype="uint16"
    )
    assert predicted(mapped, counts).shape == (4, 5)
    shown = drawings[0][:4] * np.array([0, 1, 1, 0], "float32")
    taps = keras.Model(model.input, model.get_layer("taps").output)
    same = keras.Model(mapped.input, mapped.get_layer("taps").output)
    np.testing.assert_allclose(predicted(same, counts), predicted(taps, shown), rtol=1e-3, atol=1e-2)


@pytest.mark.slow
@pytest.mark.real_data
def test_they_know_single_cells_in_one_stain(model, real_data):
    cells = weights.Hep2(real_data)
    features = weights.taps(model)(weights.protein_only(cells.images))
    assert cells.macro_f1(features, num_cells=40, seed=0) > 0.62


@pytest.mark.slow
@pytest.mark.real_data
def test_they_know_real_fields(model, real_data):
    samples = keras_hpa.load_kaggle(real_data / "atlas_sample")
    images = np.stack([samples.read(number) for number in range(len(samples))])
    assert weights.field_auc(samples.labels, weights.field_scores(model, images, size=192)) > 0.74
