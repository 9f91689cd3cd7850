"""A folder, too, appears whole or not at all."""

import os
import shutil
import sys

import pytest

from keras_hpa.files import flush, replacing
from tests.stops import stop_everywhere


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs fork and /proc")
def test_a_new_folder_is_whole_or_not_there(tmp_path):
    whole = {"a": "a" * 1000, "inner/b": "inner/b" * 1000}

    def make(root):
        with replacing(root / "made") as temporary:
            (temporary / "inner").mkdir(parents=True)
            for name, text in whole.items():
                (temporary / name).write_text(text)
            for path in temporary.rglob("*"):
                flush(path)

    def check(root):
        if (root / "made").exists():
            assert {name: (root / "made" / name).read_text() for name in whole} == whole
            shutil.rmtree(root / "made")
        make(root)
        assert os.listdir(root) == ["made"]  # nothing is left over

    assert stop_everywhere(make, tmp_path / "root", check) >= 10
