"""MkDocs hook: the scripts of examples/ and benchmarks/, for download, listed, and linked wherever one is named.

The lists on docs/examples.md and docs/benchmarks.md are made from what the scripts say of themselves.
"""

import ast
import io
import re
import zipfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

_FOLDERS = ("examples", "benchmarks")
_ARCHIVE = "keras_hpa_scripts.zip"
_NO_RESULTS = {"benchmarks.md", "changelog.md", "contributing.md", "examples.md", "index.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    root = _root(config)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for folder in _FOLDERS:
            for path in sorted((root / folder).glob("*.*")):
                name = path.relative_to(root).as_posix()
                zipped.writestr(zipfile.ZipInfo(name), path.read_bytes())  # without a date: builds are equal
                files.append(File.generated(config, name, content=path.read_bytes()))
    files.append(File.generated(config, _ARCHIVE, content=archive.getvalue()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts the list of a folder's scripts in the place of `<!-- scripts: FOLDER -->`."""
    marker = re.search(r"<!-- scripts: (\w+) -->", markdown)
    if marker is None:
        return markdown
    scripts = sorted((_root(config) / marker[1]).glob("*.py"))
    sections = [_section(script, files) for script in scripts if '__name__ == "__main__"' in script.read_text()]
    return markdown.replace(marker[0], "\n".join(sections))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns `` `python examples/tutorial.py` `` in the text into a link to the script."""

    def link(match: re.Match[str]) -> str:
        if match["script"] is None:
            return match[0]
        if match["script"] not in files.src_uris:
            raise PluginError(f"{page.file.src_uri} names {match['script']}, which does not exist.")
        return f'<a href="{get_relative_url(match["script"], page.url)}">{match[0]}</a>'

    named = rf"<code>[^<]*?(?P<script>(?:{'|'.join(_FOLDERS)})/\w+\.py)[^<]*</code>"
    return re.sub(rf"<(?P<tag>a|h[1-6]|pre)\b.*?</(?P=tag)>|{named}", link, html, flags=re.DOTALL)


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent


def _section(script: Path, files: Files) -> str:
    name = f"{script.parent.name}/{script.name}"
    about = ast.get_docstring(ast.parse(script.read_text())) or ""
    commands = re.findall(rf"(?:KERAS_HPA_DATA=\S+ )?python {name}(?:[^`\n\\]|\\\n *)*", about)
    if not commands:
        raise PluginError(f"The docstring of {name} shows no command that runs it.")
    summary = re.sub(r": `[^`]*`", "", about.split("\n\n")[0]).replace("\n", " ")
    lines = [f"## {script.stem}", "", f"{summary} [{script.name}]({name})", "", "```bash", *commands, "```", ""]
    if script.parent.name == "benchmarks":
        lines += [f"Results: {_results(script, files)}.", ""]
    return "\n".join(lines)


def _results(script: Path, files: Files) -> str:
    """Links to the pages that name the script or its target of the Makefile."""
    pages = {
        file.src_uri: file.content_string
        for file in files.documentation_pages()
        if file.src_uri not in _NO_RESULTS and not file.src_uri.startswith("reference/")
    }
    told = [uri for uri, text in pages.items() if re.search(rf"benchmarks/{script.name}|bench-{script.stem}\b", text)]
    return ", ".join(f"[{_title(pages[uri])}]({uri})" for uri in sorted(told)) or "printed, on no page yet"


def _title(text: str) -> str:
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    return title[1] if title else ""
