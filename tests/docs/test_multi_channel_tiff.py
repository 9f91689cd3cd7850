"""The code of docs/how-to/multi-channel-tiff.md."""

import numpy as np
import pytest
import tifffile

import keras_hpa
from tests.docs.quoted_messages import check_quoted_messages


@pytest.fixture(autouse=True)
def stacks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stacks").mkdir()
    rng = np.random.default_rng(0)
    for name in ("a1", "a2"):
        image = rng.integers(0, 4096, (3, 32, 32)).astype("uint16")
        names = {"Name": ["DAPI", "GFP", "Tubulin"]}
        tifffile.imwrite(
            f"stacks/{name}.ome.tif", image, photometric="minisblack", metadata={"axes": "CYX", "Channel": names}
        )
        tifffile.imwrite(f"stacks/{name}.tif", image, photometric="minisblack")


def test_stacks():
    # --8<-- [start:open]
    ids = ["a1", "a2"]
    source = keras_hpa.ChannelStacks("stacks", ids, pattern="{id}.ome.tif")
    print(source.channels)
    # --8<-- [end:open]
    assert source.channels == ("DAPI", "GFP", "Tubulin")
    # --8<-- [start:axes]
    plain = keras_hpa.ChannelStacks("stacks", ids, channels=["DAPI", "GFP", "Tubulin"], axes="CYX")
    # --8<-- [end:axes]
    np.testing.assert_array_equal(plain.read(0), source.read(0))
    # --8<-- [start:select]
    two = keras_hpa.select_channels(source, ["GFP", "DAPI"])
    # --8<-- [end:select]
    np.testing.assert_array_equal(two.read(1), source.read(1)[..., [1, 0]])
    labels = np.eye(2)
    # --8<-- [start:sequence]
    samples = keras_hpa.Samples(source, labels)
    sequence = samples.batches(image_size=256, max_value=4095)
    # --8<-- [end:sequence]
    assert 0.9 < sequence[0][0].max() <= 1
    # --8<-- [start:integers]
    sequence = samples.batches(image_size=256, dtype="source")
    model = keras_hpa.GapNet((256, 256, 3), num_classes=2, input_dtype="uint16", max_value=4095)
    # --8<-- [end:integers]
    assert model.predict(sequence, verbose=0).shape == (2, 2)


def test_what_goes_wrong():
    source = keras_hpa.ChannelStacks("stacks", ["a1", "b7"], pattern="{id}.ome.tif")
    reordered = keras_hpa.ChannelStacks("stacks", ["a1"], pattern="{id}.ome.tif", channels=["GFP", "DAPI", "Tubulin"])
    check_quoted_messages(
        "how-to/multi-channel-tiff.md",
        [
            (ValueError, lambda: reordered.read(0)),
            (FileNotFoundError, lambda: source.read(1)),
            (ValueError, lambda: keras_hpa.MultiChannelSequence(source, dtype="source", max_value=4095)),
        ],
    )
