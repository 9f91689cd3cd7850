"""The table of faults names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.data.reading_cases import CASES
from tests.data.test_reading import _name as name_of

_TESTS = Path(__file__).parents[1]
_ROWS = [
    [re.findall(r"`([^`]+)`", cell) for cell in line.split(" | ")[1:]]
    for line in (_TESTS / "faults" / "README.md").read_text().splitlines()
    if "::" in line
]


@cache
def _functions(path):
    tree = ast.parse((_TESTS / path).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0][0])
def test_every_fault_has_its_example_and_three_neighbours(row):
    examples, neighbours = row
    assert examples
    assert len(neighbours) >= 3
    assert not set(examples) & set(neighbours)
    for name in examples + neighbours:
        path, function, case = re.fullmatch(r"([\w/]+\.py)::(test_\w+)(?:\[(.+)\])?", name).groups()
        assert function in _functions(path), name
        assert case is None or case in {name_of(one) for one in CASES}, name


def test_the_table_has_rows():
    assert len(_ROWS) >= 25
