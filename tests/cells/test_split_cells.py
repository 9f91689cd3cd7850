import sys

import cv2
import numpy as np
import pytest
from scipy import ndimage

from keras_hpa import SyntheticAtlas
from keras_hpa.cells import split_cells

pytest.importorskip("skimage", reason="the extra `cells` is not installed")
CHANNELS = ("red", "green", "blue", "yellow")


def field(centers, *, shape=(200, 260), axes=(14, 11), brightness=100.0, offset=0.0, slope=0.0, noise=2.0, seed=0):
    """Elliptic nuclei on a background that rises from left to right; labels and one channel."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int32)
    for number, (y, x) in enumerate(centers, start=1):
        cv2.ellipse(labels, (x, y), axes, rng.uniform(0, 180), 0, 360, number, -1)
    picture = cv2.GaussianBlur((labels > 0).astype(np.float64) * brightness, (0, 0), 1.5)
    picture += offset + slope * np.linspace(0, 1, shape[1])
    return labels, picture + rng.normal(0, noise, shape)


def f1(found, true):
    """F1 of objects matched at an intersection over union above one half, by brute force."""
    matched = 0
    for one in np.unique(true[true > 0]):
        for other in np.unique(found[(true == one) & (found > 0)]):
            together = ((true == one) & (found == other)).sum()
            matched += together / ((true == one) | (found == other)).sum() > 0.5
    return 2 * matched / max(len(np.unique(true[true > 0])) + len(np.unique(found[found > 0])), 1)


GRID = [(y, x) for y in (30, 75, 120, 165) for x in (35, 85, 135, 185, 230)]


@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"offset": 2000.0},
        {"slope": 400.0},
        {"brightness": 12.0, "noise": 1.0},
        {"brightness": 3e-3, "noise": 1e-4, "slope": 0.01},
    ],
)
@pytest.mark.parametrize("diameter", [None, 25.0])
def test_nuclei_are_found_whatever_lies_under_them(conditions, diameter):
    true, picture = field(GRID, **conditions)
    nuclei, cells = split_cells(picture[..., None], nuclei=0, diameter=diameter)
    assert f1(nuclei, true) == 1
    assert nuclei.max() == cells.max() == len(GRID)


def test_bright_and_faint_nuclei_side_by_side():
    true, picture = field(GRID)
    gain = np.random.default_rng(1).uniform(0.4, 3, len(GRID) + 1)
    nuclei, _ = split_cells((picture * gain[true])[..., None], nuclei=0)
    assert f1(nuclei, true) == 1


def test_hot_pixels_change_nothing():
    true, picture = field(GRID)
    rng = np.random.default_rng(2)
    picture[rng.random(picture.shape) < 0.001] = 65535
    assert f1(split_cells(picture[..., None], nuclei=0)[0], true) == 1


def test_touching_nuclei_are_parted():
    centers = [(40, 40), (40, 64), (100, 60), (100, 84), (100, 108), (150, 180), (40, 180), (64, 180)]
    true, picture = field(centers, axes=(12, 12))
    assert f1(split_cells(picture[..., None], nuclei=0)[0], true) == 1


@pytest.mark.parametrize("scale", [0.5, 1, 3])
def test_the_size_of_nuclei_is_estimated(scale):
    true, picture = field(GRID)
    size = (int(260 * scale), int(200 * scale))
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    true = cv2.resize(true, size, interpolation=cv2.INTER_NEAREST)
    assert f1(split_cells(picture[..., None], nuclei=0)[0], true) == 1


def test_drawn_cells():
    drawn = SyntheticAtlas(3, image_size=384, seed=3)
    scores = []
    for index in range(3):
        true = drawn.cell_labels(index)
        found = split_cells(drawn.read(index), nuclei="blue", bodies=("red", "yellow"), channels=drawn.channels)
        scores.append((f1(found[0], true[0]), f1(found[1], np.where(np.isin(true[1], true[0]), true[1], 0))))
    assert np.mean(scores, 0).min() > 0.9


def test_nuclei_and_cells_agree():
    image = SyntheticAtlas(1, image_size=256).read(0)
    nuclei, cells = split_cells(image, nuclei=2, bodies=[0, 3])
    assert nuclei.dtype == cells.dtype == np.int32
    assert nuclei.shape == cells.shape == image.shape[:2]
    inside = nuclei > 0
    np.testing.assert_array_equal(cells[inside], nuclei[inside])
    numbers, first = np.unique(nuclei[inside], return_index=True)
    np.testing.assert_array_equal(numbers, np.arange(1, nuclei.max() + 1))
    assert (np.diff(first) > 0).all(), "numbered from the top"
    assert set(np.unique(cells)) == {0, *numbers.tolist()}


def test_without_bodies_cells_reach_half_a_diameter_past_their_nuclei():
    nuclei, cells = split_cells(field([(100, 130)])[1][..., None], nuclei=0, diameter=25)
    inside = cv2.distanceTransform((nuclei == 0).astype(np.uint8), cv2.DIST_L2, 5)
    assert (cells[inside < 10] == 1).all()
    assert not cells[inside > 15].any()


def test_names_and_indices_mean_the_same():
    image = SyntheticAtlas(1, image_size=128).read(0)
    by_index = split_cells(image, nuclei=2, bodies=0)
    by_name = split_cells(image, nuclei="blue", bodies="red", channels=CHANNELS)
    np.testing.assert_array_equal(by_index, by_name)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
def test_the_dtype_changes_nothing(dtype):
    _, picture = field(GRID, offset=20)
    image = np.clip(picture, 0, 255).astype(np.uint8)[..., None]
    for one, other in zip(split_cells(image.astype(dtype), nuclei=0), split_cells(image, nuclei=0), strict=True):
        np.testing.assert_array_equal(one, other)


def test_levels_of_any_height_change_nothing():
    _, picture = field(GRID, offset=20)
    image = np.clip(picture, 0, 255).astype(np.uint8)[..., None]
    expected = split_cells(image, nuclei=0)[0]
    assert expected.max() == len(GRID)
    for moved in (
        image + np.uint64(2**63),
        image.astype(np.int64) + np.int64(-(2**63)),
        (image.astype(int) - 128).astype(np.int8),
        (image / 128.0 - 1) * 1.7e308,
        image * 1e-310,
    ):
        np.testing.assert_array_equal(split_cells(moved, nuclei=0)[0] > 0, expected > 0)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((64, 64, 1), np.uint8),
        np.full((64, 48, 1), 7.0),
        np.full((1, 1, 1), 3),
        np.ones((2, 90, 1), bool),
        np.random.default_rng(0).normal(100, 10, (256, 256, 1)),
        np.random.default_rng(0).poisson(3, (300, 200, 1)),
    ],
    ids=["zeros", "constant", "one pixel", "flags", "noise", "photons"],
)
@pytest.mark.parametrize("diameter", [None, 20, 1e6, 0.5])
def test_no_nuclei_no_cells(image, diameter):
    nuclei, cells = split_cells(image, nuclei=0, bodies=0, diameter=diameter)
    assert nuclei.shape == cells.shape == image.shape[:2]
    assert not nuclei.any()
    assert not cells.any()


IMAGE = np.zeros((32, 32, 4), np.uint8)


@pytest.mark.parametrize(
    ("image", "arguments", "error", "message"),
    [
        (IMAGE[..., 0], {"nuclei": 0}, ValueError, r"`image` must have shape .* Received: shape \(32, 32\)"),
        (IMAGE[:0], {"nuclei": 0}, ValueError, r"`image` must have shape"),
        (IMAGE.astype(complex), {"nuclei": 0}, TypeError, r"integers or floats. Received: dtype complex128"),
        (np.full((9, 9, 1), np.nan), {"nuclei": 0}, ValueError, r"NaN or infinity. Received: one or more in channel 0"),
        (IMAGE, {"nuclei": 4}, ValueError, r"`nuclei` must lie in 0 to 3. Received: 4"),
        (IMAGE, {"nuclei": -1}, ValueError, r"`nuclei` must lie in 0 to 3. Received: -1"),
        (IMAGE, {"nuclei": 1.5}, TypeError, r"`nuclei` must be indices or names of channels. Received: 1.5"),
        (IMAGE, {"nuclei": "blue"}, ValueError, r"only where `channels` are given. Received: 'blue'"),
        (IMAGE, {"nuclei": "dapi", "channels": CHANNELS}, ValueError, r"`nuclei` must name one of .* Received: 'dapi'"),
        (IMAGE, {"nuclei": 0, "bodies": (1, 9)}, ValueError, r"`bodies` must lie in 0 to 3. Received: 9"),
        (IMAGE, {"nuclei": 0, "channels": "ab"}, ValueError, r"`channels` must hold 4 names"),
        (IMAGE, {"nuclei": 0, "diameter": 0}, ValueError, r"`diameter` must be .* above 0. Received: 0"),
        (IMAGE, {"nuclei": 0, "diameter": "20"}, ValueError, r"`diameter` .* Received: '20'"),
        (IMAGE, {"nuclei": 0, "diameter": True}, ValueError, r"`diameter` .* Received: True"),
        (IMAGE, {"nuclei": 0, "diameter": float("nan")}, ValueError, r"`diameter` .* Received: nan"),
    ],
)
def test_wrong_arguments(image, arguments, error, message):
    with pytest.raises(error, match=message):
        split_cells(image, **arguments)


def test_nan_in_a_channel_that_is_not_used_is_no_error():
    _, picture = field(GRID)
    image = np.stack([picture, np.full_like(picture, np.nan)], -1)
    assert split_cells(image, nuclei=0)[0].max() == len(GRID)


def test_the_extra_is_named(monkeypatch):
    _, picture = field(GRID)
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    with pytest.raises(ImportError, match=r"keras-hpa\[cells\]"):
        split_cells(picture[..., None], nuclei=0)


def test_every_nucleus_and_cell_is_one_piece_and_the_nucleus_lies_inside():
    rng = np.random.default_rng(11)
    image = SyntheticAtlas(1, image_size=512, seed=11).read(0) * rng.uniform(0.2, 1)
    noisy = np.clip(image + rng.normal(0, 20, image.shape), 0, 255).astype("uint8")
    nuclei, cells = split_cells(noisy, nuclei=2, bodies=(0, 3))
    assert nuclei.any()
    for labels in (nuclei, cells):
        for number in range(1, labels.max() + 1):
            assert ndimage.label(labels == number, np.ones((3, 3)))[1] == 1
    np.testing.assert_array_equal(cells[nuclei > 0], nuclei[nuclei > 0])
