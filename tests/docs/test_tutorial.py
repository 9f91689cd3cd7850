"""The messages of docs/tutorial.md; its code is that of examples/tutorial.py, run in tests/examples."""

from pathlib import Path

import numpy as np

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


def test_what_goes_wrong(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("tutorial/data").mkdir(parents=True)
    Path("tutorial/data/thesis.tex").touch()
    atlas = keras_hpa.SyntheticAtlas(2, image_size=(96, 96))
    source = keras_hpa.ArraySource(np.zeros((2, 96, 96, 4), "uint8"))
    check_quoted_messages(
        "tutorial.md",
        [
            (ValueError, lambda: atlas.save("tutorial/data")),
            (ValueError, lambda: keras_hpa.MultiChannelSequence(source, image_size=(96, 96, 4))),
        ],
    )
    assert [path.name for path in Path("tutorial/data").iterdir()] == ["thesis.tex"], "nothing was touched"
