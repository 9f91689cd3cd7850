"""The reference knows every public name, and complains about one that nobody documented."""

import ast
import inspect
import sys
from pathlib import Path

import pytest

import keras_hpa

griffe = pytest.importorskip("griffe", reason="the extra `docs` is not installed")
ROOT = Path(__file__).parents[2]
MODULES = {
    "atlas",
    "cells",
    "cluster",
    "evaluation",
    "export",
    "f_beta",
    "gapnet_pl",
    "plots",
    "report",
    "subcell",
    "thresholds",
}
PACKAGE = {
    "__init__.py": '"""A package."""\n\nfrom lazy_loader import attach_stub\n',
    "__init__.pyi": "from . import atlas as atlas\nfrom . import data as data\nfrom .data import read as read\n",
    "atlas.py": '"""Words."""\n\nNAMES = ("a",)\n"""The names."""\n\n\ndef merge():\n    """Merges."""\n',
    "data/__init__.py": '"""Data."""\n',
    "data/__init__.pyi": "from .read import read as read\n",
    "data/read.py": '"""Reading."""\n\n\ndef read():\n    pass\n',
}


@pytest.fixture
def read_public_names(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "hooks")
    yield __import__("public_names").read_public_names
    sys.modules.pop("public_names")


def test_every_public_name_has_a_page(read_public_names):
    public = set(keras_hpa.__all__)
    rooms = {name for name in public if inspect.ismodule(getattr(keras_hpa, name))} - MODULES
    assert {known.name for known in read_public_names(ROOT)} == public - rooms
    assert not [problem for known in read_public_names(ROOT) for problem in known.problems()]


def test_a_module_has_what_it_re_exports_and_defines(read_public_names):
    pages = {known.name: [member.name for member in known.members] for known in read_public_names(ROOT)}
    exports = ast.parse((ROOT / "keras_hpa" / "thresholds" / "__init__.pyi").read_text()).body[-1]
    assert pages["thresholds"] == sorted(set(ast.literal_eval(exports.value)) - set(keras_hpa.__all__))
    assert pages["gapnet_pl"][0] == "GapNetPLPreprocessing"
    assert "f_beta_per_class" in pages["f_beta"]
    assert not pages["validate"]


def test_missing_docstrings_and_examples_are_named(read_public_names, tmp_path):
    for name, text in PACKAGE.items():
        path = tmp_path / "keras_hpa" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    atlas, read = read_public_names(tmp_path)
    assert [member.name for member in atlas.members] == ["NAMES", "merge"]
    assert atlas.problems() == [
        "keras_hpa.atlas.merge has neither an `Example:` nor a link to a page in its docstring."
    ]
    assert read.problems() == ["keras_hpa.data.read.read has no docstring."]
    assert read.page == "reference/read.md"
