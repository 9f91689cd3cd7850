import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_two_devices_score_and_train_as_one(backend):
    pytest.importorskip(backend)
    script = Path(__file__).with_name("train_on_two_devices.py")
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": str(script.parents[2])}
    output = subprocess.run([sys.executable, script], env=environment, check=True, stdout=subprocess.PIPE).stdout
    values = json.loads(output)
    assert values["logged"]["macro_f1"] == pytest.approx(values["macro_f1"], abs=1e-6)
    assert values["logged"]["micro_f1"] == pytest.approx(values["micro_f1"], abs=1e-6)
    assert values["fitted"] == pytest.approx([values["macro_f1"]] * 2, abs=1e-6)  # at a learning rate of 0
    assert values["cross_fitted"] == pytest.approx([values["cross_fitted_on_one_device"]] * 2, abs=1e-6)
    np.testing.assert_allclose(values["trained_weights"], values["trained_weights_on_one_device"], atol=1e-5)
