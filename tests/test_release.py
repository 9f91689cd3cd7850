"""What a release says of itself in several files is one thing."""

import re
from pathlib import Path

import keras_hpa
from tests.lower_bounds import lower_bounds

_ROOT = Path(__file__).parent.parent


def test_the_version_is_the_same_everywhere():
    for path, pattern in (("CITATION.cff", r"(?m)^version: (.*)$"), ("CHANGELOG.md", r"(?m)^## \[(.*?)\]")):
        assert re.search(pattern, (_ROOT / path).read_text())[1] == keras_hpa.__version__


def test_a_lower_bound_is_found_for_each_package():
    bounds = lower_bounds(
        '[project]\ndependencies = ["a>=1.2", "b-c>=3"]\n'
        '[project.optional-dependencies]\nx = ["ours[y]", "d[e]>=4.0; x"]\ndev = ["f>=5"]\n'
    )
    assert bounds == ["a==1.2", "b-c==3", "d==4.0"]
    project = (_ROOT / "pyproject.toml").read_text()
    assert "numpy==2.0" in lower_bounds(project)
