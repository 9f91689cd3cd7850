import sys

import numpy as np
import pytest

from keras_hpa import ArraySource, Samples
from keras_hpa.inference import to_anndata

SAMPLES = Samples(
    ArraySource(np.zeros((3, 4, 4, 1), "uint8"), ids=["a", "b", "c"]),
    [[1, 0], [0, -1], [1, 1]],
    class_names=["Golgi", "Cytosol"],
    metadata={"plate": ["p1", "p2", None], "dose": [0.1, 0.2, 0.3]},
)


def test_a_row_per_sample_and_back_from_a_file(tmp_path):
    anndata = pytest.importorskip("anndata")
    table = to_anndata(np.arange(12).reshape(3, 4), SAMPLES)
    table.write_h5ad(tmp_path / "table.h5ad")
    read = anndata.read_h5ad(tmp_path / "table.h5ad")
    np.testing.assert_array_equal(read.X, np.arange(12).reshape(3, 4))
    assert list(read.obs_names) == ["a", "b", "c"]
    np.testing.assert_array_equal(read.obs[list(read.uns["class_names"])], SAMPLES.labels)
    assert list(read.obs["plate"])[:2] == ["p1", "p2"]
    np.testing.assert_allclose(read.obs["dose"], [0.1, 0.2, 0.3])


def test_without_anndata_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "anndata", None)
    with pytest.raises(ImportError, match=r"keras-hpa\[anndata\]"):
        to_anndata(np.zeros((3, 4)), SAMPLES)


def test_other_lengths_are_refused():
    pytest.importorskip("anndata")
    with pytest.raises(ValueError, match=r"must have shape \(3, num_features\)"):
        to_anndata(np.zeros((2, 4)), SAMPLES)
