import hashlib
import pickle
import subprocess
import sys

import cv2
import numpy as np
import pytest

from keras_hpa import atlas
from keras_hpa.synthetic_atlas import SyntheticAtlas

_HASH = """
import hashlib
from keras_hpa.synthetic_atlas import SyntheticAtlas
source = SyntheticAtlas({num}, image_size=({size}, {size}), seed=5, balance="uniform")
digest = hashlib.sha256(source.labels.tobytes())
for index in range(len(source)):
    digest.update(source.read(index).tobytes())
print(digest.hexdigest())
"""


def test_it_is_a_source():
    source = SyntheticAtlas(3, image_size=(64, 96))
    assert tuple(source.channels) == atlas.CHANNELS
    assert len(source) == len(set(source.ids)) == len(source.labels) == 3
    image = source.read(1)
    assert image.shape == (64, 96, 4)
    assert image.dtype == np.uint8
    assert image.std(axis=(0, 1)).min() > 0


def test_sample_depends_on_seed_index_and_size_alone():
    few, many = (SyntheticAtlas(n, image_size=(64, 64), seed=3) for n in (2, 50))
    many.read(7)
    np.testing.assert_array_equal(few.labels, many.labels[:2])
    np.testing.assert_array_equal(few.read(1), many.read(1))
    np.testing.assert_array_equal(few.read(1), pickle.loads(pickle.dumps(few)).read(-1))
    assert (few.read(0) != few.read(1)).any()
    assert (few.read(0) != SyntheticAtlas(2, image_size=(64, 64), seed=4).read(0)).any()


@pytest.mark.slow
def test_two_processes_draw_the_same_bytes():
    num, size = 60, 64
    command = [sys.executable, "-c", _HASH.format(num=num, size=size)]
    other = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    source = SyntheticAtlas(num, image_size=(size, size), seed=5, balance="uniform")
    digest = hashlib.sha256(source.labels.tobytes())
    for index in range(num):
        digest.update(source.read(index).tobytes())
    assert digest.hexdigest() == other.strip()


def test_other_size_shows_the_same_scene():
    small, large = (SyntheticAtlas(4, image_size=(size, size), balance="uniform") for size in (96, 384))
    for index in range(4):
        reduced = cv2.resize(large.read(index), (96, 96), interpolation=cv2.INTER_AREA)
        for channel in (0, 2, 3):
            correlation = np.corrcoef(small.read(index)[..., channel].ravel(), reduced[..., channel].ravel())[0, 1]
            assert correlation > 0.8


def test_masks_are_where_the_channels_say():
    source = SyntheticAtlas(2, image_size=(128, 128), seed=1)
    for index in range(2):
        masks, image = source.masks(index), source.read(index)
        assert set(atlas.CLASS_NAMES) < set(masks)
        assert all(mask.shape == (128, 128) and mask.dtype == bool for mask in masks.values())
        blue = image[..., 2].astype(float)
        assert blue[masks["nucleus"]].mean() > 4 * blue[~masks["nucleus"]].mean()
        assert not (masks["nucleus"] & ~masks["cell"]).any()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_samples": -1}, ValueError, "num_samples.*Received: -1"),
        ({"num_samples": 1.5}, TypeError, "num_samples.*Received: 1.5"),
        ({"seed": -2}, ValueError, "seed.*Received: -2"),
        ({"image_size": (31, 64)}, ValueError, r"image_size.*32.*Received: \(31, 64\)"),
        ({"image_size": (64, 64, 4)}, ValueError, r"image_size.*\(height, width\).*Received: \(64, 64, 4\)"),
        ({"image_size": 31}, ValueError, "image_size.*32 or more.*Received: 31"),
        ({"image_size": (64.0, 64)}, ValueError, r"image_size.*Received: \(64.0, 64\)"),
        ({"balance": "even"}, ValueError, "balance.*'even'"),
        ({"wrong_labels": 1.2}, ValueError, "wrong_labels.*Received: 1"),
        ({"wrong_labels": "few"}, ValueError, "wrong_labels.*'few'"),
        ({"mixed": 1}, ValueError, "mixed.*Received: 1"),
        ({"mixed": "some"}, ValueError, "mixed.*'some'"),
        ({"fields_per_antibody": 0}, ValueError, "fields_per_antibody.*at least 1.*Received: 0"),
    ],
)
def test_wrong_argument_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        SyntheticAtlas(**({"num_samples": 2} | arguments))


def test_fields_of_one_antibody_have_one_label_set_and_one_group():
    drawn = SyntheticAtlas(31, image_size=64, seed=3, wrong_labels=0.5, fields_per_antibody=3)
    assert drawn.samples.groups == [f"antibody-3-{index // 3:06d}" for index in range(31)]
    for one in (drawn.labels, drawn.true_labels):
        assert (one[:30].reshape(10, 3, 28) == one[:30:3, None]).all()
    assert (drawn.labels != drawn.true_labels).any()
    train, test = drawn.samples.split(test_size=0.3)
    assert not set(train.groups) & set(test.groups)


def test_fields_of_one_antibody_are_alike_and_not_the_same():
    """The brightness of each stain tells antibodies apart; the cells are others."""
    drawn = SyntheticAtlas(40, image_size=64, seed=4, fields_per_antibody=2)
    images = np.stack([drawn.read(index) for index in range(40)]).astype(float)
    brightness = np.log1p(np.percentile(images, 99, axis=(1, 2)))
    within = np.abs(brightness[::2] - brightness[1::2]).mean(0)
    between = np.abs(brightness[::2] - np.roll(brightness[1::2], 1, axis=0)).mean(0)
    assert (within < 0.6 * between).all()
    assert all(
        np.corrcoef(one.ravel(), two.ravel())[0, 1] < 0.9 for one, two in zip(images[::2], images[1::2], strict=True)
    )


def test_cells_of_mixed_fields_show_what_they_are_said_to():
    """Where a cell's class lies, the protein is brighter than in the negative cells; nothing else has changed."""
    options = {"num_samples": 6, "image_size": 128, "balance": "uniform", "seed": 2}
    mixed, plain = SyntheticAtlas(**options, mixed=0.4), SyntheticAtlas(**options)
    np.testing.assert_array_equal(mixed.labels, plain.labels)
    brighter = []
    for index in range(6):
        cells, classes, image = mixed.cell_labels(index)[1], mixed.cell_classes(index), mixed.read(index)
        np.testing.assert_array_equal(cells, plain.cell_labels(index)[1])

        assert classes.shape == (cells.max(), 28)
        assert classes.sum(axis=1).max() == 1
        np.testing.assert_array_equal(classes.max(axis=0), mixed.labels[index])
        assert (plain.cell_classes(index) == plain.labels[index]).all()
        masks = mixed.masks(index)
        negative = np.isin(cells, 1 + np.flatnonzero(~classes.any(axis=1)))
        for class_id in np.flatnonzero(mixed.labels[index]):
            place = masks[atlas.CLASS_NAMES[class_id]]
            shown = place & np.isin(cells, 1 + np.flatnonzero(classes[:, class_id]))
            if min(np.count_nonzero(shown), np.count_nonzero(place & negative)) > 30:
                brighter.append(image[..., 1][shown].mean() - image[..., 1][place & negative].mean())
    assert len(brighter) >= 5
    assert min(brighter) > 0
    assert np.median(brighter) > 15
    shares = [one for index in range(6) for one in mixed.cell_classes(index).any(axis=1)]
    assert 0.45 < np.mean(shares) < 0.8


def test_wrong_index_is_named():
    with pytest.raises(IndexError, match="Received: 2"):
        SyntheticAtlas(2).read(2)
