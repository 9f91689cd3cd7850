import keras
import pytest

from tests.cluster.scored import save_model


@pytest.fixture(scope="session")
def model_path(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "model.keras")


@pytest.fixture(scope="session")
def model(model_path):
    return keras.saving.load_model(model_path)
