"""Keras loads every class of the package by name, whichever of the two was imported first."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_hpa
from keras_hpa import registration

_PACKAGE = Path(keras_hpa.__file__).parent
_OBJECTS = {
    "AsymmetricLoss": lambda: keras_hpa.AsymmetricLoss(),
    "BagOfCells": lambda: keras_hpa.BagOfCells(keras_hpa.GapNet((8, 8, 1), 2)),
    "BatchMacroF1": lambda: keras_hpa.BatchMacroF1(),
    "BinaryCrossentropy": lambda: keras_hpa.BinaryCrossentropy(),
    "ChannelMixer": lambda: keras_hpa.ChannelMixer("kernel"),
    "ClassBalancedCrossentropy": lambda: keras_hpa.ClassBalancedCrossentropy([3, 5]),
    "ClassBalancedFocalCrossentropy": lambda: keras_hpa.ClassBalancedFocalCrossentropy([3, 5]),
    "ClassTokenAndPositions": lambda: keras_hpa.layers.ClassTokenAndPositions((2, 3)),
    "GapNetPLPreprocessing": lambda: keras_hpa.gapnet_pl.GapNetPLPreprocessing(),
    "ImageStandardization": lambda: keras_hpa.ImageStandardization(),
    "MacroF1": lambda: keras_hpa.MacroF1(),
    "MacroF1Loss": lambda: keras_hpa.MacroF1Loss(),
    "MeanAveragePrecision": lambda: keras_hpa.MeanAveragePrecision(),
    "MinMaxNormalization": lambda: keras_hpa.layers.MinMaxNormalization(),
    "PercentileNormalization": lambda: keras_hpa.PercentileNormalization(),
    "PixelSize": lambda: keras_hpa.PixelSize(0.65),
    "ScaleIntegers": lambda: keras_hpa.ScaleIntegers(),
    "SymmetricLovaszHinge": lambda: keras_hpa.SymmetricLovaszHinge(),
    "PoolBag": lambda: keras_hpa.PoolBag("attention"),
    "ProbabilityLayer": lambda: keras_hpa.ProbabilityLayer([0.1, 0.2], [1.0, 0.9], [[0.0, 1.0]] * 2, [[0.0, 0.1]] * 2),
    "TextureFeatures": lambda: keras_hpa.TextureFeatures(),
    "ThresholdLayer": lambda: keras_hpa.ThresholdLayer([0.2, 0.5]),
    "WarmUpBatchNormalization": lambda: keras_hpa.WarmUpBatchNormalization(),
    "WeightedSumLoss": lambda: keras_hpa.WeightedSumLoss([keras_hpa.MacroF1Loss()]),
}
_ORDERS = {
    "keras_hpa first": "import keras_hpa, keras",
    "keras first": "import keras, keras_hpa",
    "a class first": "from keras_hpa import WeightedSumLoss; import keras",
    "what classes need first": "from keras_hpa.losses.label_weights import label_weights; import keras",
    "threads": """
import concurrent.futures, importlib, keras_hpa
names = ["keras_hpa.metrics.macro_f1", "keras", "keras_hpa.layers", "keras_hpa.thresholds.threshold_layer", "keras"]
with concurrent.futures.ThreadPoolExecutor(len(names)) as executor:
    list(executor.map(importlib.import_module, names))
import keras
""",
}
_LOAD = """
import json, sys
configs = json.load(open(sys.argv[1]))
for name, config in configs.items():
    kind = keras.saving.get_registered_object(f"keras_hpa>{name}")
    assert kind.__name__ == name and kind.__module__.startswith("keras_hpa."), kind
    assert type(keras.saving.deserialize_keras_object(config)) is kind, kind
model = keras.saving.load_model(sys.argv[2])
assert type(model.layers[-1]).__name__ == "Dense" and type(model.loss).__name__ == "MacroF1Loss"
assert not any(type(one).__module__ == "keras_hpa.registration" for one in sys.meta_path)
import importlib
assert "registration" not in repr(importlib.reload(keras).__spec__.loader) + repr(keras.__loader__)
assert importlib.reload(sys.modules["keras_hpa"])
print(len(configs))
"""


def test_every_class_that_registers_itself_is_listed():
    found = {}
    for path in _PACKAGE.rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and "register_keras_serializable" in ast.dump(node):
                found[node.name] = ".".join(path.relative_to(_PACKAGE).with_suffix("").parts)
    assert sorted(found.values()) == list(registration._MODULES)
    assert found.keys() == _OBJECTS.keys()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    objects = {name: keras.saving.serialize_keras_object(make()) for name, make in _OBJECTS.items()}
    (folder / "objects.json").write_text(json.dumps(objects))
    layers = [_OBJECTS[name]() for name in ("ScaleIntegers", "ChannelMixer", "WarmUpBatchNormalization")]
    model = keras.Sequential([keras.Input((8, 8, 4), dtype="uint8"), *layers, keras.layers.Flatten()])
    model.add(keras.layers.Dense(2, "sigmoid"))
    model.compile("sgd", loss=keras_hpa.MacroF1Loss(), metrics=[keras_hpa.MacroF1()])
    model.predict(np.zeros((1, 8, 8, 4), np.uint8), verbose=0)
    model.save(folder / "model.keras")
    return folder


@pytest.mark.parametrize(
    "order",
    ["keras_hpa first", "keras first", *(pytest.param(order, marks=pytest.mark.slow) for order in list(_ORDERS)[2:])],
)
def test_keras_loads_every_class(saved, order):
    program = f"{_ORDERS[order]}\n{_LOAD}"
    run = _python(program, saved / "objects.json", saved / "model.keras", KERAS_BACKEND=keras.backend.backend())
    assert run.stdout.strip() == str(len(_OBJECTS)), run.stderr


def test_an_error_of_ours_does_not_stop_the_import_of_keras(tmp_path):
    """Here of a Keras that has nothing in it, so that none of our modules can be loaded."""
    (tmp_path / "keras.py").write_text("NAME = 1\n")
    program = """
import importlib.util, sys
import keras_hpa
count = len(sys.meta_path)
assert importlib.util.find_spec("keras").loader.get_source("keras") == "NAME = 1\\n"  # whoever only looks
assert len(sys.meta_path) == count and "keras" not in sys.modules
import keras
assert len(sys.meta_path) == count - 1 and type(keras.__loader__).__name__ == "SourceFileLoader"
print(keras.NAME)
"""
    run = _python(program, PYTHONPATH=f"{tmp_path}{os.pathsep}{_PACKAGE.parent}")
    assert run.stdout == "1\n", run.stderr
    assert run.stderr.count("Keras cannot load what keras_hpa.") == len(registration._MODULES)


def test_a_keras_that_cannot_be_imported_says_why(tmp_path):
    (tmp_path / "keras.py").write_text("raise ImportError('no backend')\n")
    program = """
import keras_hpa
for _ in range(2):
    try:
        import keras
    except ImportError as error:
        print(error)
"""
    run = _python(program, PYTHONPATH=f"{tmp_path}{os.pathsep}{_PACKAGE.parent}")
    assert run.stdout == "no backend\n" * 2, run.stderr


def test_keras_is_missing():
    program = "import sys\nsys.path[:] = [one for one in sys.path if 'site-packages' not in one]\n"
    run = _python(f"import lazy_loader, numpy\n{program}import keras_hpa\nimport keras")
    assert run.stderr.strip().endswith("ModuleNotFoundError: No module named 'keras'")


def _python(program, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=_PACKAGE.parent,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"} | environment,
    )
