import pytest

import keras_hpa


@pytest.fixture(scope="session")
def kaggle_folder(tmp_path_factory):
    """A drawn data set in Kaggle's layout: 20 samples with labels, 4 without."""
    root = tmp_path_factory.mktemp("kaggle") / "atlas"
    keras_hpa.SyntheticAtlas(24, image_size=(80, 80), balance="uniform").save(root, num_test=4)
    return root
