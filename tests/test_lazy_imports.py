"""What is imported when: names when they are first used, Keras and a backend only for what needs them."""

import ast
import importlib
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_hpa

_PACKAGE = Path(keras_hpa.__file__).parent
_STUBS = {
    ".".join(path.relative_to(_PACKAGE.parent).parent.parts): path for path in sorted(_PACKAGE.rglob("__init__.pyi"))
}
_KERAS = {"jax", "keras", "tensorflow", "torch"}
_WHERE_USED = {
    "cv2",
    "h5py",
    "imagecodecs",
    "iterstrat",
    "kornia_rs",
    "matplotlib",
    "scipy",
    "skimage",
    "sklearn",
    "tifffile",
    "zarr",
}
_LOADED = "import sys\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"


def _names(stub):
    for node in ast.parse(_STUBS[stub].read_text()).body:
        if isinstance(node, ast.ImportFrom):
            yield from ((name.name, node.module) for name in node.names)


def _python(program, *arguments, **environment):
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=_PACKAGE.parent,
        env=os.environ | environment,
    )
    assert not run.returncode, run.stderr
    return run.stdout


@pytest.mark.parametrize("package", _STUBS)
def test_every_name_of_a_stub_is_what_its_file_defines(package):
    module = importlib.import_module(package)
    names = dict(_names(package))
    assert sorted(names) == dir(module) == module.__all__
    for name, file in names.items():
        value = getattr(module, name)
        if file is None:
            assert value is importlib.import_module(f"{package}.{name}")
        else:
            assert value is getattr(importlib.import_module(f"{package}.{file}"), name)
            assert getattr(module, name) is value  # once the module of the same name is loaded, too


def test_a_name_that_there_is_not():
    with pytest.raises(AttributeError, match="no_such_name"):
        keras_hpa.no_such_name  # noqa: B018
    with pytest.raises(ImportError, match="no_such_name"):
        from keras_hpa import no_such_name  # noqa: F401


def test_objects_are_pickled_as_before():
    samples = keras_hpa.Samples(keras_hpa.ArraySource(np.zeros((2, 8, 8, 1), np.uint8)), [[1], [0]])
    for thing in (samples, keras_hpa.ThresholdCalibrator("max_f1"), keras_hpa.load_folder, keras_hpa.thresholds.MaxF1):
        assert repr(pickle.loads(pickle.dumps(thing))) == repr(thing)


def test_all_at_once_if_asked_for():
    program = """
import keras_hpa
from keras_hpa import *
for name in keras_hpa.__all__:
    room = vars(keras_hpa)[name]
    assert globals()[name] is room, name
    missing = set(getattr(room, "__all__", ())) - set(vars(room))
    assert not missing, missing
print(len(keras_hpa.__all__))
"""
    assert _python(program, EAGER_IMPORT="1") == f"{len(keras_hpa.__all__)}\n"


def test_loading_a_folder_needs_numpy_alone():
    loaded = set(_python(f"from keras_hpa import load_folder\n{_LOADED}").split())
    assert "numpy" in loaded
    assert not loaded & (_KERAS | _WHERE_USED)
    loaded = set(_python(f"import keras_hpa\n{_LOADED}").split())
    assert not loaded & (_KERAS | _WHERE_USED | {"numpy"})


def test_from_files_to_labels_without_keras(tmp_path):
    program = f"""
import sys
from pathlib import Path
import numpy as np
import keras_hpa
folder = Path(sys.argv[1])
atlas = keras_hpa.SyntheticAtlas(12, image_size=(32, 32))
keras_hpa.write_kaggle_folder(atlas.samples, folder / "atlas", verbose=1)
samples = keras_hpa.load_kaggle(folder / "atlas")
assert keras_hpa.validate(samples).is_valid
train, test = samples.split(test_size=0.5)
assert len(samples.folds(2)) == 2 and len(keras_hpa.near_duplicate_groups(samples)) == 12
packed = train.packed(folder / "pack", image_size=16)
assert np.array_equal(keras_hpa.apply_symmetry(packed.read(0), 4), packed.read(0)[:, ::-1])
scores = np.random.default_rng(0).uniform(size=train.labels.shape)
calibrator = keras_hpa.ThresholdCalibrator().fit(scores, train.labels)
calibrator.report()
keras_hpa.cross_fit("max_f1", scores, train.labels)
keras_hpa.write_submission(folder / "submission.csv", train.ids, calibrator.predict(scores))
{_LOADED}
"""
    assert not set(_python(program, tmp_path).splitlines()[-1].split()) & _KERAS


def test_the_names_cost_less_than_numpy_several_times():
    """How much less: `benchmarks/imports.py`."""
    program = """
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
from keras_hpa import load_folder
print((time.perf_counter() - middle) / (middle - start))
"""
    assert min(float(_python(program)) for _ in range(3)) < 4
