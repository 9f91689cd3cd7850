"""What the pages quote of the library's messages, held word for word against what it says."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
HEADING = "\n## What goes wrong\n"


def quoted_messages(page: str | Path) -> list[str]:
    """The text blocks below "What goes wrong", in the order of the page."""
    section = (DOCS / page).read_text().partition(HEADING)[2].split("\n## ")[0]
    return re.findall(r"^```text\n(.*?)\n```$", section, re.DOTALL | re.MULTILINE)


def check_quoted_messages(page: str | Path, mistakes: Sequence[tuple[type[Exception], Callable[[], object]]]) -> None:
    """Every message that the page quotes is what the mistake in its place makes the library say, and none is left over.

    Args:
        page: its path below docs/.
        mistakes: one per quoted message, in the order of the page: the exception or warning that it ends in, and what
            to call.
    """
    for quoted, (kind, mistake) in zip(quoted_messages(page), mistakes, strict=True):
        check_message(quoted, kind, mistake)


def check_message(quoted: str, kind: type[Exception], mistake: Callable[[], object]) -> None:
    """The mistake says what is quoted; " ..." at its end stands for what others than the library add."""
    beginning = quoted.removesuffix(" ...")
    expected = f"^{re.escape(beginning)}" + ("$" if beginning == quoted else " ")
    expect = pytest.warns if issubclass(kind, Warning) else pytest.raises
    with expect(kind, match=expected):
        mistake()
