"""The code of the README, which the home page shows as well, runs as it is written."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
# The same code on fewer and smaller images, once.
SMALLER = {
    "SyntheticAtlas(2000,": "SyntheticAtlas(60,",
    "(96, 96": "(48, 48",
    "image_size=96": "image_size=48",
    "epochs=6": "epochs=1",
}


@pytest.mark.slow
def test_code_runs(tmp_path, monkeypatch, capsys):
    [code] = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    for written, smaller in SMALLER.items():
        assert written in code
        code = code.replace(written, smaller)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, README, "exec"), {})
    assert re.search(r"macro-F1 (0\.\d+|nan) at thresholds", capsys.readouterr().out)
