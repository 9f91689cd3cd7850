import keras
import pytest

import keras_hpa


@pytest.fixture(scope="session")
def kaggle_folder(tmp_path_factory):
    """A drawn data set in Kaggle's layout: 20 samples with labels, 4 without."""
    root = tmp_path_factory.mktemp("kaggle") / "atlas"
    keras_hpa.SyntheticAtlas(24, image_size=(80, 80), balance="uniform").save(root, num_test=4)
    return root


@pytest.fixture
def _without_graphs(monkeypatch):
    """A few steps are trained without a graph: making one takes longer."""
    compile_ = keras.Model.compile
    # Not in `keras.Model`: a model that overrides `compile` is cloned without being compiled, and warns of it.
    owner = next(one for one in keras.Model.__mro__ if "compile" in vars(one))

    def compile_eagerly(model, *args, **arguments):
        return compile_(model, *args, **{**arguments, "run_eagerly": True})

    monkeypatch.setattr(owner, "compile", compile_eagerly)
