"""Makes the notebook of the tutorial: text and code of docs/tutorial.md in cells.

python docs/scripts/make_notebook.py docs/tutorial.ipynb
"""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

import nbformat
from cut_code import CUT, ROOT

# What belongs to the page alone: printed output, pictures, notes.
_PAGE_ALONE = re.compile(r"^```text\n(?:.*\n)*?```\n|^!\[.*\]\(.*\)\n|^!!! .*\n(?:    .*\n)+", re.MULTILINE)
_LINK = re.compile(r"\[(.+?)\]\([^)]*\)(?:\{[^}]*\})?")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="the notebook to write")
    args = parser.parse_args(argv)
    nbformat.write(make_notebook(), args.path)


def make_notebook() -> nbformat.NotebookNode:
    page = (ROOT / "docs" / "tutorial.md").read_text().split("## What goes wrong")[0]
    pieces = CUT.split(_PAGE_ALONE.sub("", page))
    cells = [nbformat.v4.new_code_cell("%matplotlib inline")]
    for text, code in zip(pieces[::5], pieces[4::5], strict=False):
        if text.strip():
            cells.append(nbformat.v4.new_markdown_cell(_LINK.sub(r"\1", text).strip()))
        shown = "\nfigure" if "figure = " in code else ""  # at the end of its cell
        cells.append(nbformat.v4.new_code_cell(code.strip() + shown))
    if pieces[-1].strip():
        cells.append(nbformat.v4.new_markdown_cell(_LINK.sub(r"\1", pieces[-1]).strip()))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


if __name__ == "__main__":
    main()
