"""Puts the code of tests and examples on the pages that show it.

    python docs/scripts/cut_code.py

A comment before a block says what it is cut from, and how many lines of its own the block has before that:

    <!-- cut: tests/docs/test_samples.py:split, after 2 lines -->

A test sees that the pages show what the tests run.
"""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
CUT = re.compile(r"<!-- cut: (\S+):(\w+)(?:, after (\d+) lines?)? -->\n```python\n(.*?)```", re.DOTALL)


def main() -> None:
    for page in sorted((ROOT / "docs").rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if with_code(text) != text:
            page.write_text(with_code(text), encoding="utf-8")


def with_code(page: str) -> str:
    """The text of a page with all that it cuts as it stands in the files now."""

    def block(cut: re.Match[str]) -> str:
        own = "".join(cut[4].splitlines(keepends=True)[: int(cut[3] or 0)])
        comment = cut[0].partition("\n")[0]
        return f"{comment}\n```python\n{own}{read_section(ROOT / cut[1], cut[2])}\n```"

    return CUT.sub(block, page)


def read_section(path: Path, section: str) -> str:
    """The lines between a section's markers."""
    marked = rf"# --8<-- \[start:{section}\]\n(.*?)\n *# --8<-- \[end:{section}\]"
    [code] = re.findall(marked, path.read_text(encoding="utf-8"), re.DOTALL)
    return textwrap.dedent(code).strip()


if __name__ == "__main__":
    main()
