"""The manifest of public test images: differences from tifffile and Pillow are only those that are stated."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

public_images = pytest.importorskip("tests.data.public_images")
ENTRIES = json.loads(public_images.MANIFEST.read_text(encoding="utf-8"))
FOLDER = os.environ.get("KERAS_HPA_PUBLIC_IMAGES")


def test_manifest_differs_as_stated_only():
    found = [entry.get(other) for entry in ENTRIES for other in ("tifffile", "pillow", "numpy") if other in entry]
    assert set(found) <= set(public_images.STATED)
    assert Counter(found)["equal"] > 400
    assert len({entry["name"] for entry in ENTRIES}) == len(ENTRIES) > 600


def test_every_entry_is_read_or_refused():
    for entry in ENTRIES:
        assert ("read" in entry) != ("refused" in entry)
        assert len(entry["sha256"]) == 64


@pytest.mark.skipif(FOLDER is None, reason="KERAS_HPA_PUBLIC_IMAGES names no folder of unpacked source archives")
@pytest.mark.filterwarnings("ignore")
def test_images_are_read_as_the_manifest_says():
    for entry in ENTRIES:
        path = Path(FOLDER) / entry["name"]
        assert public_images.outcome(path) == {k: v for k, v in entry.items() if k not in ("name", "sha256")}, path
