"""Whoever copies the code of a page finds every name in it: defined by the code above, or told of in the text."""

import ast
import builtins
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [page for page in sorted((ROOT / "docs").rglob("*.md")) if "```python" in page.read_text()]


def code_of(page):
    """The blocks of a page in one piece."""
    return "\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL))


def unknown_names(code):
    """Names that are read and, anywhere in the code, neither bound nor built in."""
    bound, read = set(dir(builtins)), set()
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Import() | ast.ImportFrom():
                bound |= {name.asname or name.name for name in node.names}
            case ast.FunctionDef() | ast.ClassDef():
                bound.add(node.name)
            case ast.arg():
                bound.add(node.arg)
            case ast.Name(ctx=ast.Load()):
                read.add(node.id)
            case ast.Name():
                bound.add(node.id)
    return read - bound


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_is_defined_or_explained(page):
    text = page.read_text()
    explained = set(re.findall(r"`(\w+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)))
    assert not unknown_names(code_of(text)) - explained


def test_what_is_neither_defined_nor_built_in():
    code = "import keras\nfor n in range(3):\n    print(n, scores)\ndef twice(x):\n    return 2 * x\nkeras.Model(twice)"
    assert unknown_names(code) == {"scores"}
