"""The code of docs/how-to/multi-channel-tiff.md."""

import numpy as np
import pytest
import tifffile

import keras_hpa


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
    sequence = keras_hpa.MultiChannelSequence(source, labels, image_size=256, max_value=4095)
    # --8<-- [end:sequence]
    assert 0.9 < sequence[0][0].max() <= 1
    # --8<-- [start:integers]
    sequence = keras_hpa.MultiChannelSequence(source, labels, image_size=256, dtype="source")
    model = keras_hpa.GapNet((256, 256, 3), num_classes=2, variant="light", input_dtype="uint16", max_value=4095)
    # --8<-- [end:integers]
    assert model.predict(sequence, verbose=0).shape == (2, 2)


def test_other_names():
    source = keras_hpa.ChannelStacks("stacks", ["a1"], pattern="{id}.ome.tif", channels=["GFP", "DAPI", "Tubulin"])
    with pytest.raises(ValueError, match=r"Sample 'a1' must have the channels \('GFP', 'DAPI', 'Tubulin'\)"):
        source.read(0)


def test_missing_file():
    source = keras_hpa.ChannelStacks("stacks", ["b7"], channels=["DAPI"])
    with pytest.raises(FileNotFoundError, match=r"Sample 'b7': "):
        source.read(0)


def test_max_value_of_bytes():
    source = keras_hpa.ChannelStacks("stacks", ["a1"], pattern="{id}.ome.tif")
    with pytest.raises(
        ValueError, match=r"`max_value` must be positive, and dtype='float32'. Received: 4095, 'source'"
    ):
        keras_hpa.MultiChannelSequence(source, dtype="source", max_value=4095)
