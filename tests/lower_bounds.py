"""Prints the lowest versions that pyproject.toml allows of what users install, as constraints for pip."""

import re
import sys
import tomllib
from pathlib import Path

_NOT_FOR_USERS = {"dev"}


def lower_bounds(text: str) -> list[str]:
    """One line for each package, such as `numpy==2.0`."""
    project = tomllib.loads(text)["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(one for extra in extras.keys() - _NOT_FOR_USERS for one in extras[extra])]
    found = {re.match(r"([\w.-]+)[^>]*>=([\w.]+)", one) for one in wanted}
    return sorted({f"{one[1]}=={one[2]}" for one in found if one})


if __name__ == "__main__":
    sys.stdout.write("\n".join(lower_bounds(Path("pyproject.toml").read_text())) + "\n")
