import re
from pathlib import Path

import pytest

from tests.docs.quoted_messages import DOCS, HEADING, check_message, check_quoted_messages, quoted_messages

PAGES = [page.relative_to(DOCS).as_posix() for page in sorted(DOCS.rglob("*.md")) if HEADING in page.read_text()]


def say(message):
    raise ValueError(message)


@pytest.mark.parametrize("page", PAGES)
def test_the_messages_of_every_page_are_tested(page):
    assert quoted_messages(page)
    module = Path(__file__).with_name(f"test_{Path(page).stem.replace('-', '_')}.py")
    assert re.search(rf'check_quoted_messages\(\s*"{re.escape(page)}"', module.read_text())


def test_as_many_mistakes_as_quoted_messages(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        f"```text\nprinted\n```\n{HEADING}\n```text\na\nb\n```\n\n```text\nc\n```\n\n## More\n\n```text\nd\n```\n"
    )
    mistakes = [(ValueError, lambda: say("a\nb")), (ValueError, lambda: say("c")), (ValueError, lambda: say("d"))]
    check_quoted_messages(page, mistakes[:2])
    with pytest.raises(ValueError, match="shorter"):
        check_quoted_messages(page, mistakes[:1])
    with pytest.raises(ValueError, match="longer"):
        check_quoted_messages(page, mistakes)


@pytest.mark.parametrize("quoted", ["Beginning, (end).", "Beginning, ..."])
def test_word_for_word(quoted):
    check_message(quoted, ValueError, lambda: say("Beginning, (end)."))


@pytest.mark.parametrize(
    "quoted", ["", "one", "two", "One two", "one two three", "two ...", "one t ...", "one two ..."]
)
def test_what_is_not_word_for_word_fails(quoted):
    with pytest.raises(AssertionError):
        check_message(quoted, ValueError, lambda: say("one two"))
