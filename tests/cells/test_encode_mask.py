import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from keras_hpa.cells import encode_mask

MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), fill=st.booleans())

_DISC = b"Q]f0;o84M2M4M2O0O2N2O0O2O00000000000000000001N101N2N101N3L3N3LUfk0"


def decode(text, shape):
    """COCO's form, read by the letter of `rleFrString`."""
    counts, place = [], 0
    letters = zlib.decompress(base64.b64decode(text))
    while place < len(letters):
        value, shift, more = 0, 0, True
        while more:
            letter = letters[place] - 48
            value |= (letter & 31) << shift
            more, place, shift = bool(letter & 32), place + 1, shift + 5
            if not more and letter & 16:
                value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
    pixels = np.repeat(np.arange(len(counts)) % 2, counts)
    return pixels.reshape(shape, order="F").astype(bool)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(MASKS)
def test_what_is_written_can_be_read(mask):
    np.testing.assert_array_equal(decode(encode_mask(mask), mask.shape), mask)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(MASKS)
def test_it_is_what_pycocotools_writes(mask):
    coco = pytest.importorskip("pycocotools.mask")
    counts = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    assert zlib.decompress(base64.b64decode(encode_mask(mask))) == counts


def test_what_pycocotools_wrote():
    """For where it is not installed: a disc, and nothing, in 300 x 200 pixels."""
    rows, columns = np.mgrid[:300, :200]
    written = {
        "disc": ((rows - 150) ** 2 + (columns - 90) ** 2 < 15**2, _DISC),
        "nothing": (np.zeros((300, 200)), b"Pcj1"),
        "all": (np.ones((300, 200)), b"0Pcj1"),
    }
    for mask, counts in written.values():
        assert zlib.decompress(base64.b64decode(encode_mask(mask))) == counts


@pytest.mark.parametrize("mask", [[[0, 2]], [0, 1], [[0.5]], [[np.nan]], np.zeros((2, 2, 1))])
def test_what_is_no_mask(mask):
    with pytest.raises(ValueError, match=r"`mask` must be 0 and 1 of shape \(height, width\)"):
        encode_mask(mask)
