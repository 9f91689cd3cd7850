"""What the built site must not have, each named by the hook that reads it."""

import importlib
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

exceptions = pytest.importorskip("mkdocs.exceptions", reason="mkdocs is installed by `make docs`")
HOOKS = Path(__file__).parents[2] / "docs" / "hooks"


@pytest.fixture
def read_site(monkeypatch, tmp_path):
    """Writes two pages, the first with `body`, and reads them as the build does."""
    monkeypatch.syspath_prepend(HOOKS)
    built_site = importlib.import_module("built_site")

    def read(body):
        (tmp_path / "other").mkdir(exist_ok=True)
        (tmp_path / "other" / "index.html").write_text('<h1 id="top">Other</h1>')
        (tmp_path / "index.html").write_text(body)
        built_site.on_post_build(SimpleNamespace(site_dir=tmp_path))
        return (tmp_path / "external_links.txt").read_text()

    return read


def test_links_to_other_sites_are_listed(read_site):
    body = '<a href="other/#top">there</a> <a href="https://example.org">elsewhere</a> <img src="other/" alt="a page">'
    assert read_site(body) == "https://example.org  index.html\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('<a href="missing/">gone</a>', "index.html leads to missing/, which does not exist."),
        ('<a href="other/#bottom">gone</a>', "index.html leads to other/#bottom, a page without that anchor."),
        ('<script src="https://example.org/a.js"></script>', "index.html loads https://example.org/a.js from another"),
        (
            '<link rel="stylesheet" href="//example.org/a.css">',
            "index.html loads //example.org/a.css from another host.",
        ),
        ('<img src="other/">', "A picture has no description: other/"),
    ],
)
def test_what_a_reader_would_miss_fails_the_build(read_site, body, message):
    with pytest.raises(exceptions.PluginError, match=re.escape(message)):
        read_site(body)
