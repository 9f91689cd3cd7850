"""MkDocs hook: a figure is a link to itself, so that a tap on a phone opens it at full size."""

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    return re.sub(r'<img [^>]*?src="([^"]+)"[^>]*>', r'<a href="\1" title="At full size">\g<0></a>', html)
