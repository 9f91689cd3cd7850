import pytest

from tests.inference.scored import make_model


@pytest.fixture(scope="module")
def model():
    return make_model()
