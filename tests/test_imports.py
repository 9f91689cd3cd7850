import ast
from pathlib import Path

import pytest

import keras_hpa

_PACKAGE = Path(keras_hpa.__file__).parent
_ROOMS = (
    "f_beta",
    "atlas",
    "labels",
    "files",
    "data",
    "synthetic_atlas",
    "layers",
    "graphs",
    "models",
    "gapnet_pl",
    "losses",
    "metrics",
    "thresholds",
    "inference",
    "explanation",
    "callbacks",
    "plots",
    "report",
)
_FILES = sorted(path for path in _PACKAGE.rglob("*.py") if path != _PACKAGE / "__init__.py")


def _imports(path):
    """The modules that a file imports, those for type checkers only left out."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("path", _FILES, ids=lambda path: str(path.relative_to(_PACKAGE)))
def test_rooms_import_only_rooms_before_them(path):
    room = path.relative_to(_PACKAGE).parts[0].removesuffix(".py")
    allowed = _ROOMS[: _ROOMS.index(room) + 1]
    for module in _imports(path):
        assert not module.startswith("keras.src"), f"{path} imports {module}, which is not public"
        if module.startswith("keras_hpa."):
            other = module.split(".")[1]
            assert other in allowed, f"{path} imports {module}, a room that stands later"
            if other != room:
                assert module.count(".") <= 2, f"{path} imports {module}, which room {other} does not re-export"


def test_public_names_are_documented():
    names = [name for name in vars(keras_hpa) if not name.startswith("_") and name not in _ROOMS]
    assert "parse_labels" in names
    for name in names:
        assert getattr(keras_hpa, name).__doc__, f"{name} has no docstring"
