import numpy as np
import pytest

import keras_hpa
from tests.report.test_write_report import _check_alone, _samples, _write


def _neighbours(samples, reference, k=4):
    """By the mean of each channel, in order of their rows."""
    features = [np.stack([one.read(i).mean((0, 1)) for i in range(len(one))]) for one in (samples, reference)]
    return keras_hpa.nearest_samples(*features, reference.labels, k=k)


def test_annotated_samples_stand_beside_those_that_are_most_like_them(tmp_path):
    labels = np.eye(3, dtype=int)[[0, 1, 2, 0, 1, 2]]
    reference = _samples(labels, ids=[f"known {number}" for number in range(6)], class_names=["A", "B", "C"])
    found = _neighbours(_samples(labels), reference)
    page = _write(
        tmp_path / "report.html", labels, options={"neighbours": found, "reference": reference, "classes": [1]}
    )
    _check_alone(page)
    for index in (1, 4):  # the two with the label
        share = found.shares[index, 1]
        assert f"Of the 4 annotated samples that are most like it {100 * share:.0f} % have this label" in page.text
        for row in found.indices[index, :3]:
            assert f"Merged channels of the annotated sample known {row}" in page.values("alt")
    assert sum("annotated sample known" in text for text in page.values("alt")) == 3 * 3  # three samples are shown
    assert "has it : 1; distance 0.00" in page.text  # the image itself, as no groups were given


def test_neighbours_of_others_are_refused(tmp_path):
    labels = np.eye(2, dtype=int)[[0, 1, 0, 1]]
    samples = _samples(labels)
    found = _neighbours(samples, samples)
    for options, message in (
        ({"neighbours": found}, "no `reference`"),
        ({"reference": samples}, "no `neighbours`"),
        ({"neighbours": _neighbours(samples[:2], samples), "reference": samples}, r"\(4, 2\). Received: \(2, 2\)"),
        ({"neighbours": found, "reference": samples[:2]}, "`reference` must be the samples"),
        ({"neighbours": found, "reference": keras_hpa.Samples(samples.source)}, "`reference` must be the samples"),
    ):
        with pytest.raises(ValueError, match=message):
            _write(tmp_path / "report.html", labels, with_model=False, options=options)
