import keras
import pytest

from tests.cluster.scored import save_model


@pytest.fixture(scope="session")
def ray():
    """Ray on this machine, of two processors, for all tests: each that begun it would wait for it."""
    ray = pytest.importorskip("ray")
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield ray
    ray.shutdown()


@pytest.fixture(scope="session")
def model_path(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("model") / "model.keras")


@pytest.fixture(scope="session")
def model(model_path):
    return keras.saving.load_model(model_path)
