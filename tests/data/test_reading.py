"""Files that were read wrong, or could be: each is read right, or refused by `read_image` and `read_stack` alike."""

import os
import re

import numpy as np
import pytest

from keras_hpa.data import read_image, read_stack
from tests.data import what_is_read
from tests.data.reading_cases import CASES


def _name(case):
    return re.sub(r"\W+", "-", f"{case.format} {case.what}").strip("-")


@pytest.mark.parametrize("case", CASES, ids=_name)
def test_file_is_read_as_the_page_says(tmp_path, case):
    path, expected = case.write(tmp_path)
    if not case.is_refused:
        image = read_stack(path)[0]
        one = expected if expected.ndim == 3 else expected[..., None]
        assert image.dtype == one.dtype
        np.testing.assert_array_equal(image, one)
        if expected.ndim == 2:
            np.testing.assert_array_equal(read_image(path), expected)
        return
    for reader in (read_stack, read_image):
        with pytest.raises(ValueError, match=re.escape(os.fspath(path))) as error:
            reader(path)
        if reader is read_stack:
            assert case.becomes in str(error.value)


def test_page_is_made_of_these_files():
    made = what_is_read.page()
    assert what_is_read.PAGE.read_text(encoding="utf-8") == made, "python -m tests.data.what_is_read writes it anew"
