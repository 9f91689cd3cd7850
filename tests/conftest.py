import os
from pathlib import Path

import keras
import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that take minutes are run where they are asked for by `-m soak`, whatever else is asked for."""
    if "soak" not in config.option.markexpr:
        items[:] = [item for item in items if "soak" not in item.keywords]


@pytest.fixture(autouse=True)
def _seeded_weights():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real images, labels and scores; a test that wants it is skipped where it is not set."""
    folder = os.environ.get("KERAS_HPA_DATA")
    if not folder:
        pytest.skip("KERAS_HPA_DATA does not name a folder with real data")
    return Path(folder)


@pytest.fixture(scope="session")
def ray():
    """Ray on this machine, which it takes for a workstation, for all tests: each that begun it would wait for it."""
    ray = pytest.importorskip("ray")
    ray.init(
        address="local", num_cpus=8, num_gpus=2, include_dashboard=False, log_to_driver=False, logging_level="error"
    )
    yield ray
    ray.shutdown()
