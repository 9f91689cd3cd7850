"""Griffe extension: `Example:` in the word that Griffe's Google parser knows, so that its code is shown as code."""

import re
from typing import Any

import griffe


class DocstringSections(griffe.Extension):
    """Renames the section; what else is our own ("Input shape:") is laid out by templates/."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
