import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

import keras_hpa
from keras_hpa import registration

_PACKAGE = Path(keras_hpa.__file__).parent
_ROOMS = (
    "registration",
    "floats",
    "f_beta",
    "atlas",
    "labels",
    "files",
    "data",
    "synthetic_atlas",
    "cells",
    "layers",
    "graphs",
    "models",
    "gapnet_pl",
    "subcell",
    "losses",
    "metrics",
    "thresholds",
    "inference",
    "explanation",
    "evaluation",
    "callbacks",
    "plots",
    "report",
    "export",
    "cluster",
)
_FILES = sorted(path for path in _PACKAGE.rglob("*.py") if path != _PACKAGE / "__init__.py")
_ROOM_STUBS = sorted(_PACKAGE.glob("*/__init__.pyi"))


def _re_exports():
    """The file behind each name that a room re-exports."""
    for stub in _ROOM_STUBS:
        for node in ast.parse(stub.read_text()).body:
            if isinstance(node, ast.ImportFrom):
                room = f"keras_hpa.{stub.parent.name}"
                yield from ((f"{room}.{name.name}", f"{room}.{node.module}") for name in node.names)


_RE_EXPORTS = dict(_re_exports())


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
                if module.count(".") == 2 and (_PACKAGE / other).is_dir():
                    assert module in _RE_EXPORTS, f"{path} imports {module}, which is not in the stub of room {other}"


def _graph():
    """For each file those that it imports; a name that a room re-exports stands for the file that defines it."""
    files = {".".join(path.relative_to(_PACKAGE.parent).with_suffix("").parts): path for path in _FILES}
    graph = {}
    for module, path in files.items():
        imported = {_RE_EXPORTS.get(name, name) for name in _imports(path)}
        imported = {name if name in files else name.rpartition(".")[0] for name in imported}
        graph[module] = imported & files.keys() - {module}
    return graph


def test_no_circle():
    """Within a room either."""
    graph = _graph()
    assert sum(map(len, graph.values())) > 200
    TopologicalSorter(graph).prepare()


def test_nothing_that_registered_classes_need_is_half_loaded_when_keras_comes():
    """The first module that imports Keras is half loaded when all those are that Keras must know."""
    graph = _graph()
    registered = {f"keras_hpa.{name}" for name in registration._MODULES}
    needed = set()
    while new := {name for module in registered | needed for name in graph[module]} - needed:
        needed |= new
    assert "keras_hpa.losses.label_weights" in needed
    for module in needed:
        path = _PACKAGE.parent / f"{module.replace('.', '/')}.py"
        if any(name.partition(".")[0] == "keras" for name in _imports(path)):
            room = _PACKAGE / module.split(".")[1] / "__init__.py"
            assert "\nimport keras " in room.read_text(), f"{room} must import Keras, because {module} does"


_REPOSITORY = _PACKAGE.parent
_OTHERS = sorted(path for folder in ("examples", "benchmarks", "docs") for path in (_REPOSITORY / folder).rglob("*.py"))


@pytest.mark.parametrize("path", _OTHERS, ids=lambda path: str(path.relative_to(_REPOSITORY)))
def test_examples_benchmarks_and_docs_use_public_names(path):
    for module in _imports(path):
        if module.startswith("keras_hpa."):
            assert module.count(".") <= 2, f"{path} imports {module}, which its room does not re-export"
            assert "._" not in module, f"{path} imports {module}"
    assert not re.search(r"keras_hpa(\.[a-z_0-9]+)*\._[a-z]", path.read_text(encoding="utf-8"))


def test_no_private_name_crosses_rooms():
    for path in _FILES:
        room = path.relative_to(_PACKAGE).parts[0].removesuffix(".py")
        for module in _imports(path):
            if module.startswith("keras_hpa.") and module.split(".")[1] != room:
                assert "._" not in module, f"{path} imports {module}"


def test_no_file_is_longer_than_320_lines():
    files = [path for path in _REPOSITORY.rglob("*.py") if not {"build", ".venv", "site"} & set(path.parts)]
    lengths = {str(path.relative_to(_REPOSITORY)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lengths) > 200
    assert not {name: length for name, length in lengths.items() if length > 320}


def test_public_names_are_documented():
    names = [name for name in dir(keras_hpa) if name not in _ROOMS]
    assert "parse_labels" in names
    for name in names:
        assert getattr(keras_hpa, name).__doc__, f"{name} has no docstring"


def test_six_files_from_load_folder_to_a_batch(tmp_path, monkeypatch):
    """What a reader of the code goes through from a folder to a batch, up to the file of a channel that is read."""
    for name in ("a", "b"):
        np.save(tmp_path / f"{name}_dapi.npy", np.zeros((8, 8), np.uint8))
    (tmp_path / "labels.csv").write_text("Id,Target\na,0\nb,1\n")
    passed = set()

    def read_image(*_, **__):
        frame = sys._getframe(1)
        while frame is not None:
            passed.add(Path(frame.f_code.co_filename))
            frame = frame.f_back
        return np.zeros((8, 8), np.uint8)

    monkeypatch.setattr("keras_hpa.data.channel_files.read_image", read_image)
    samples = keras_hpa.load_folder(tmp_path, tmp_path / "labels.csv", channels=["dapi"], pattern="{id}_{channel}.npy")
    assert samples.batches(workers=0)[0][0].shape == (2, 8, 8, 1)
    files = {path.stem for path in passed if path.is_relative_to(_PACKAGE)} | {"folders"}
    assert files == {"folders", "samples", "multi_channel_sequence", "read_ahead", "batch_recipe", "channel_files"}
