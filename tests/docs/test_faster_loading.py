"""The code of docs/how-to/faster-loading.md."""

import numpy as np
import pytest

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_packed():
    keras_hpa.SyntheticAtlas(8, image_size=(64, 64)).save("human-protein-atlas")
    # --8<-- [start:pack]
    samples = keras_hpa.load_kaggle("human-protein-atlas")
    packed = samples.packed("pack-256", image_size=256)
    # --8<-- [end:pack]
    # --8<-- [start:sequence]
    sequence = packed.batches(batch_size=32, shuffle=True, dtype="source")
    model = keras_hpa.GapNet((256, 256, 4), num_classes=28, input_dtype="uint8")
    # --8<-- [end:sequence]
    assert model(sequence[0][0]).shape == (8, 28)
    # --8<-- [start:workers]
    sequence = samples.batches(image_size=256, workers=4)
    # --8<-- [end:workers]
    # --8<-- [start:verify]
    packed = keras_hpa.PackedSource("pack-256", verify=True)
    # --8<-- [end:verify]
    assert packed.shape == (8, 256, 256, 4)
    assert sequence[0][0].shape == (8, 256, 256, 4)


def test_source_of_ones_own_asks_for_processes():
    # --8<-- [start:source]
    class MyImages(keras_hpa.ArraySource):
        reads_in_processes = True

    # --8<-- [end:source]
    sequence = keras_hpa.MultiChannelSequence(MyImages(np.zeros((2, 8, 8, 4), "uint8")), workers=2)
    assert "read in 2 processes" in repr(sequence)
    assert sequence[0].shape == (2, 8, 8, 4)


def test_what_goes_wrong():
    source = keras_hpa.ArraySource(np.zeros((2, 8, 8, 4), "uint8"))
    keras_hpa.PackedSource.build(source, "pack", verbose=0)
    keras_hpa.PackedSource.build(source, "copy", verbose=0)
    with open("copy/images.bin", "r+b") as file:
        file.truncate(100)
    check_quoted_messages(
        "how-to/faster-loading.md",
        [
            (ValueError, lambda: keras_hpa.PackedSource.build(source, "pack", image_size=4, verbose=0)),
            (ValueError, lambda: keras_hpa.PackedSource("copy")),
            (ValueError, lambda: keras_hpa.MultiChannelSequence(source, dtype="uint8")),
        ],
    )
