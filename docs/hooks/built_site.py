"""MkDocs hook: reads the built pages as a browser would and fails on what it would not find.

Everything that a page loads must be in the site: nothing comes from another host. Links within the site must lead to a
page and to an anchor on it. Links to other sites are listed in `external_links.txt`, each with the pages that hold it.
"""

import logging
import posixpath
import re
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

_log = logging.getLogger("mkdocs.hooks.built_site")

# Attributes whose address the browser fetches by itself; those of <link> depend on `rel`.
_LOADED = {"script": "src", "img": "src", "source": "src", "video": "src", "iframe": "src", "object": "data"}
_LOADED_RELATIONS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch", "manifest"}


class _Page(HTMLParser):
    """The anchors of a page, what it loads and what it links to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.loads: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.anchors |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.add(values["href"])
        if tag == "link" and _LOADED_RELATIONS & set(values.get("rel", "").split()):
            self.loads.add(values["href"])
        if values.get(_LOADED.get(tag, "")):
            self.loads.add(values[_LOADED[tag]])
        if tag == "img" and not values.get("alt"):
            raise PluginError(f"A picture has no description: {values.get('src')}")


def on_post_build(config: MkDocsConfig) -> None:
    site = Path(config.site_dir)
    pages = {path.relative_to(site).as_posix(): _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    files = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    problems, external = [], defaultdict(list)
    for name, page in pages.items():
        for address in sorted(page.loads | page.links):
            parts = urlsplit(address)
            if parts.scheme == "data" or parts.scheme == "mailto":
                continue
            if parts.scheme or parts.netloc:
                if address in page.loads:
                    problems.append(f"{name} loads {address} from another host.")
                else:
                    external[address].append(name)
                continue
            target = _resolve(name, unquote(parts.path))
            if target not in files:
                problems.append(f"{name} leads to {address}, which does not exist.")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                problems.append(f"{name} leads to {address}, a page without that anchor.")
    for sheet in site.rglob("*.css"):
        for address in re.findall(r"(?:url\(|@import )\s*[\"']?((?:https?:)?//[^\"')]+)", sheet.read_text()):
            problems.append(f"{sheet.relative_to(site)} loads {address} from another host.")
    if problems:
        raise PluginError("The built site is not whole.\n" + "\n".join(problems))
    listed = [
        f"{address}  {' '.join(names) if len(names) < 6 else f'{len(names)} pages'}"
        for address, names in sorted(external.items())
    ]
    (site / "external_links.txt").write_text("\n".join(listed) + "\n")
    _log.info(f"{len(pages)} pages; {len(listed)} links to other sites, listed in external_links.txt")


def _resolve(page: str, path: str) -> str:
    """The file that a server answers with."""
    folder = "" if path.startswith("/") else posixpath.dirname(page)  # 404.html, shown at any depth, begins at the root
    target = posixpath.normpath(posixpath.join(folder, path.lstrip("/"))) if path else page
    return target if Path(target).suffix else posixpath.normpath(posixpath.join(target, "index.html"))
