"""The Python code of a built page, as its reader would copy it: `python tests/page_code.py PAGE.html`."""

import sys
from html.parser import HTMLParser
from pathlib import Path


class Code(HTMLParser):
    """The text of the blocks of code in Python."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks: list[str] = []
        self.within = 0  # elements that are open below a block

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "language-python" in (dict(attrs).get("class") or "").split():
            self.blocks.append("")
            self.within = 1
        elif self.within and tag == "div":
            self.within += 1

    def handle_endtag(self, tag: str) -> None:
        if self.within and tag == "div":
            self.within -= 1

    def handle_data(self, data: str) -> None:
        if self.within:
            self.blocks[-1] += data


def page_code(path: Path) -> str:
    page = Code()
    page.feed(path.read_text(encoding="utf-8"))
    return "\n".join(page.blocks)


if __name__ == "__main__":
    sys.stdout.write(page_code(Path(sys.argv[1])))
