"""The public names of the library, read from `keras_hpa/__init__.pyi` without importing it."""

import re
from dataclasses import dataclass
from pathlib import Path

import griffe

# The order in which data flow through the package, as tests/test_imports.py has it.
ROOMS = {
    "f_beta": "F-beta",
    "atlas": "The vocabulary: channels and classes",
    "labels": "Label text and label matrices",
    "data": "From files to batches",
    "synthetic_atlas": "Drawn cells",
    "cells": "Single cells",
    "layers": "Layers",
    "graphs": "Rebuilding models",
    "models": "Models",
    "gapnet_pl": "GapNet-PL",
    "subcell": "SubCell",
    "losses": "Losses",
    "metrics": "Metrics",
    "thresholds": "From scores to decisions",
    "inference": "Prediction",
    "explanation": "Explanation",
    "evaluation": "What scores are worth",
    "callbacks": "Callbacks",
    "plots": "Figures",
    "report": "Reports",
    "export": "Export",
    "cluster": "Many machines",
}
_PAGES_OF_MODULES = {
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


@dataclass(frozen=True)
class PublicName:
    """A name that `import keras_hpa` gives, and where it is defined."""

    name: str
    room: str
    definition: griffe.Object

    @property
    def page(self) -> str:
        return f"reference/{self.name}.md"

    @property
    def members(self) -> list[griffe.Object]:
        """What a module offers; nothing for a class, a function or a constant."""
        module = self.definition
        if not module.is_module:
            return []
        own = [] if module.is_init_module else [name for name, one in module.members.items() if not one.is_alias]
        names = [name for name in module.exports or [*re_exported(module), *own] if not name.startswith("_")]
        # What the package itself gives has a page of its own.
        names = [name for name in names if name not in module.parent.imports]
        return [resolve(module, name) if name in module.imports else module.members[name] for name in names]

    @property
    def summary(self) -> str:
        return self.definition.docstring.value.split("\n\n")[0].replace("\n", " ")

    def problems(self) -> list[str]:
        """What the documentation of this name lacks."""
        found = []
        for symbol in self.members or [self.definition]:
            text = symbol.docstring.value if symbol.docstring else ""
            if not text:
                found.append(f"{symbol.path} has no docstring.")
            # A constant shows its value.
            elif not symbol.is_attribute and not re.search(r"^Example:$|\]\(\S+\.md\S*\)", text, re.MULTILINE):
                found.append(f"{symbol.path} has neither an `Example:` nor a link to a page in its docstring.")
        return found


def read_public_names(root: Path) -> list[PublicName]:
    """Every name that `__init__.pyi` re-exports, in the order of the rooms; of modules, those that have a page."""
    package = griffe.load("keras_hpa", search_paths=[root], try_relative_path=False)
    names = []
    for name in re_exported(package):
        definition = resolve(package, name)
        if not definition.is_module or name in _PAGES_OF_MODULES:
            names.append(PublicName(name, definition.path.split(".")[1], definition))
    order = list(ROOMS)
    return sorted(names, key=lambda public: (order.index(public.room), public.name.casefold()))


def re_exported(module: griffe.Object) -> list[str]:
    """What a module imports for others, in the order of its source; for a room that is its type stub."""
    path = Path(str(module.filepath))
    stub = path.with_suffix(".pyi")
    text = (stub if stub.exists() else path).read_text(encoding="utf-8")
    return re.findall(r"import (\w+) as \1$", text, re.MULTILINE)


def resolve(package: griffe.Object, name: str) -> griffe.Object:
    """What `package` imports as `name`."""
    path = package.imports[name]
    definition = package.modules_collection[path]
    definition = definition.final_target if definition.is_alias else definition
    # `validate` is defined in `validate.py`: of function and module, Griffe finds the module.
    if definition.is_module and path.count(".") > 1 and name in definition.members:
        definition = definition.members[name]
    return definition
