"""MkDocs hook: the list of docs/benchmarks.md, made from what the scripts in benchmarks/ say of themselves."""

import ast
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_MARKER = "<!-- benchmarks -->"
_NO_RESULTS = {"benchmarks.md", "changelog.md", "contributing.md", "index.md"}


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    if _MARKER not in markdown:
        return markdown
    root = Path(config.config_file_path).parent
    pages = {
        file.src_uri: file.content_string
        for file in files.documentation_pages()
        if file.src_uri not in _NO_RESULTS and not file.src_uri.startswith("reference/")
    }
    sections = [_section(script, pages) for script in sorted((root / "benchmarks").glob("*.py")) if _is_command(script)]
    return markdown.replace(_MARKER, "\n".join(sections))


def _is_command(script: Path) -> bool:
    return '__name__ == "__main__"' in script.read_text()


def _section(script: Path, pages: dict[str, str]) -> str:
    about = ast.get_docstring(ast.parse(script.read_text())) or ""
    commands = re.findall(rf"(?:KERAS_HPA_DATA=\S+ )?python benchmarks/{script.name}[^`\n]*", about)
    if not commands:
        raise PluginError(f"The docstring of {script} shows no command that runs it.")
    summary = re.sub(r": `[^`]*`", "", about.split("\n\n")[0]).replace("\n", " ")
    told = [uri for uri, text in pages.items() if re.search(rf"benchmarks/{script.name}|bench-{script.stem}\b", text)]
    results = ", ".join(f"[{_title(pages[uri])}]({uri})" for uri in sorted(told)) or "printed, on no page yet"
    return "\n".join(
        [f"### {script.stem}", "", summary, "", "```bash", *commands, "```", "", f"Results: {results}.", ""]
    )


def _title(text: str) -> str:
    title = re.search(r"^# (.+)$", text, re.MULTILINE)
    return title[1] if title else ""
