import numpy as np
import pytest

from keras_hpa import atlas
from keras_hpa.atlas import to_single_cell_classes


def test_counts_are_those_of_the_challenge():
    assert len(atlas.CLASS_NAMES) == len(set(atlas.CLASS_NAMES)) == len(atlas.CLASS_COUNTS) == 28
    assert sum(atlas.CLASS_COUNTS) / 31072 == pytest.approx(1.634, abs=1e-3)
    assert max(atlas.CLASS_COUNTS) == 12885
    assert min(atlas.CLASS_COUNTS) == 11


def test_predicting_everything_scores_the_known_floor():
    prevalence = np.array(atlas.CLASS_COUNTS) / 31072
    assert np.mean(2 * prevalence / (1 + prevalence)) == pytest.approx(0.0996, abs=5e-5)


def test_every_channel_has_a_stain():
    assert tuple(atlas.CHANNEL_STAINS) == atlas.CHANNELS


def test_single_cell_names_are_the_mapped_names():
    mapped = to_single_cell_classes(np.eye(28))
    for name, row in zip(atlas.CLASS_NAMES, mapped, strict=True):
        if name in atlas.SINGLE_CELL_CLASS_NAMES:
            assert atlas.SINGLE_CELL_CLASS_NAMES[row.argmax()] == name
    dropped = [name for name, row in zip(atlas.CLASS_NAMES, mapped, strict=True) if not row.any()]
    assert dropped == ["Microtubule ends", "Cytokinetic bridge", "Microtubule organizing center", "Rods & rings"]
    assert mapped.dtype == np.int8
    assert not mapped[:, atlas.SINGLE_CELL_CLASS_NAMES.index("Negative")].any()


@pytest.mark.parametrize(("parts", "merged"), [((1, -1), 1), ((0, -1), -1), ((0, 0), 0), ((-1, 1), 1)])
def test_merged_class_keeps_what_is_known(parts, merged):
    names = ["peroxisomes", "LYSOSOMES"]
    vesicles = atlas.SINGLE_CELL_CLASS_NAMES.index("Vesicles and punctate cytosolic patterns")
    assert to_single_cell_classes([parts], class_names=names)[0, vesicles] == merged


@pytest.mark.parametrize(
    ("matrix", "names", "message"),
    [
        (np.zeros((2, 27)), atlas.CLASS_NAMES, "27"),
        (np.zeros(28), atlas.CLASS_NAMES, "shape"),
        (np.full((1, 28), 2), atlas.CLASS_NAMES, "Received: .*2"),
        (np.zeros((1, 1)), ["Vacuole"], "Vacuole"),
    ],
)
def test_wrong_input_is_named(matrix, names, message):
    with pytest.raises(ValueError, match=message):
        to_single_cell_classes(matrix, class_names=names)
