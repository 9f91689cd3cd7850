"""Makes the notebook of the tutorial: the text of docs/tutorial.md and the code of examples/tutorial.py in cells.

python docs/scripts/make_notebook.py docs/tutorial.ipynb
"""

import argparse
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import nbformat

_ROOT = Path(__file__).parents[2]
_SNIPPET = re.compile(r'```python\n--8<-- "(.+?):(.+?)"\n```')
# What belongs to the page alone: printed output, pictures, notes.
_PAGE_ALONE = re.compile(r"^```text\n(?:.*\n)*?```\n|^!\[.*\]\(.*\)\n|^!!! .*\n(?:    .*\n)+", re.MULTILINE)
_LINK = re.compile(r"\[(.+?)\]\([^)]*\)(?:\{[^}]*\})?")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the notebook to write")
    args = parser.parse_args(argv)
    nbformat.write(make_notebook(), args.path)


def make_notebook() -> nbformat.NotebookNode:
    page = (_ROOT / "docs" / "tutorial.md").read_text().split("## What goes wrong")[0]
    pieces = _SNIPPET.split(_PAGE_ALONE.sub("", page))
    cells = [nbformat.v4.new_code_cell("%matplotlib inline")]
    for text, script, section in zip(pieces[::3], pieces[1::3], pieces[2::3], strict=False):
        if text.strip():
            cells.append(nbformat.v4.new_markdown_cell(_LINK.sub(r"\1", text).strip()))
        cells.append(nbformat.v4.new_code_cell(read_section(_ROOT / script, section)))
    if pieces[-1].strip():
        cells.append(nbformat.v4.new_markdown_cell(_LINK.sub(r"\1", pieces[-1]).strip()))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def read_section(path: Path, section: str) -> str:
    """The lines between a section's markers; a figure is shown at the end of its cell."""
    marked = rf"# --8<-- \[start:{section}\]\n(.*?)\n *# --8<-- \[end:{section}\]"
    [code] = re.findall(marked, path.read_text(), re.DOTALL)
    shown = "\nfigure" if "figure = " in code else ""
    return textwrap.dedent(code).strip() + shown


if __name__ == "__main__":
    main()
