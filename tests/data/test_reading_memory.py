"""Reading takes 2.5 times the array that comes out and 200 MB at most, and nothing grows before it is refused."""

import json
import subprocess
import sys

import pytest

from tests.data.reading_memory import BOMBS, WHOLE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is measured by what Linux says of a process"),
]
_READ_IN_PART = {"png, text that inflates", "png, a profile that inflates", "tiff lzma that inflates"}
_READ_IN_PART |= {"tiff lzw that inflates", "jpeg behind TEM"}
_SAMPLE = ["png palette", "jpeg rgb", "tiff zlib, one strip", "tiff stack, big-endian", "npy big-endian stack"]


def _measure(names):
    command = [sys.executable, "-m", "tests.data.reading_memory", *names]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    for name, line in zip(names, lines, strict=True):
        outcome, num_bytes, peak = json.loads(line)
        assert peak <= 2.5 * num_bytes + 200e6, (name, outcome, num_bytes, peak)
        yield name, outcome


def test_bombs():
    for name, outcome in _measure(list(BOMBS)):
        assert outcome.startswith("ValueError: Cannot read") != (name in _READ_IN_PART), (name, outcome)


def test_images_that_are_read():
    assert {outcome for _, outcome in _measure(_SAMPLE)} == {"read"}


@pytest.mark.soak
def test_images_of_every_codec():
    assert {outcome for _, outcome in _measure(list(WHOLE))} == {"read"}
