"""Damaged and odd files of every format that is read."""

import logging

from tests.fuzz.damaged_files import draw_file, read_file
from tests.fuzz.feed import feed, inputs


def _read_drawn_file(rng, folder):
    read_file(draw_file(rng), as_stack=bool(rng.integers(2)), folder=folder)


@inputs(60_000)
def test_a_file_is_read_rightly_or_refused(number, tmp_path, caplog):
    caplog.set_level(logging.CRITICAL + 1, logger="tifffile")
    feed(_read_drawn_file, number, tmp_path)
