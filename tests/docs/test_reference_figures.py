"""The pictures of the reference are made, and none that the site shows has lost its script."""

import re
from pathlib import Path

import pytest
import reference_figures
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"
# What the tutorial's network and benchmarks draw.
MADE_ELSEWHERE = {
    "activation_maps",
    "perfect_predictor",
    "synthetic_atlas_classes",
    "threshold_curves",
    "tutorial_channels",
    "tutorial_learning_curves",
    "tutorial_thresholds",
}
ON_PAGES = {"cells"}  # made by the same script, for the page of that name, and larger


@pytest.mark.slow
def test_every_picture_of_the_reference_is_made(tmp_path):
    shown = set(re.findall(r'"(\w+)\.webp"', (DOCS / "hooks" / "reference.py").read_text()))
    reference_figures.main(["--output", str(tmp_path)])
    assert {path.stem for path in tmp_path.iterdir()} == (shown - MADE_ELSEWHERE) | ON_PAGES
    for path in tmp_path.iterdir():
        if path.stem in ON_PAGES:
            continue
        with Image.open(path) as made, Image.open(DOCS / "figures" / path.name) as committed:
            assert 640 <= made.width <= 900
            assert 250 <= made.height <= 700
            assert made.width == pytest.approx(committed.width, rel=0.1)
            assert made.height == pytest.approx(committed.height, rel=0.1)
        assert 5_000 < path.stat().st_size < 70_000
