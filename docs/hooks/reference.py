"""MkDocs hook: one reference page for each public name, grouped by room, and links to it wherever the name is written.

The build fails if a public name has no docstring or no example.
"""

import re
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import griffe
import numpy as np
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

sys.path.insert(0, str(Path(__file__).parent))
from public_names import ROOMS, PublicName, read_public_names

# Pictures: file in docs/figures, and description.
_PICTURES = {
    "SyntheticAtlas": (
        "synthetic_atlas_classes.webp",
        "One drawn sample of each class: protein green, microtubules red, nuclei blue",
    ),
    "class_activation_maps": (
        "activation_maps.webp",
        "Three drawn samples, and beside each where the network saw Nucleoli, Golgi apparatus and Plasma membrane",
    ),
    "plots.plot_activation_maps": (
        "activation_maps.webp",
        "Merges of three drawn samples, dimmed, with the maps of three classes over them",
    ),
    "plots.plot_channels": (
        "tutorial_channels.webp",
        "The four channels of a drawn sample, each in its colour, and their merge",
    ),
    "plots.plot_learning_curves": (
        "tutorial_learning_curves.webp",
        "Loss and macro-F1 of a training over thirty epochs, in training and in validation",
    ),
    "plots.plot_threshold_curves": (
        "threshold_curves.webp",
        "F1 against the threshold for eight classes, with the chosen threshold and the interval of its F1",
    ),
    "plots.plot_thresholds": (
        "tutorial_thresholds.webp",
        "The threshold of each class beside its F1 and its number of samples",
    ),
}

_names: list[PublicName] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    _names[:] = read_public_names(Path(config.config_file_path).parent)
    problems = [problem for public in _names for problem in public.problems()]
    if problems:
        raise PluginError("The reference is not complete.\n" + "\n".join(problems))
    rooms: list[Any] = [
        {title: [{public.name: public.page} for public in _names if public.room == room]}
        for room, title in ROOMS.items()
        if any(public.room == room for public in _names)
    ]
    for entry in config.nav or []:
        if "Reference" in entry:
            entry["Reference"] = ["reference/index.md", *rooms]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    files.append(File.generated(config, "reference/index.md", content=_index()))
    for public in _names:
        files.append(File.generated(config, public.page, content=_page(public)))
    return files


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turns `` `GapNet` `` and `` `keras_hpa.GapNet(...)` `` in the text into links to the reference."""
    pages = {public.name: public.page for public in _names}

    def link(match: re.Match[str]) -> str:
        target = pages.get(match["name"])
        if match["name"] is None or target is None or target == page.file.src_uri:
            return match[0]
        address = get_relative_url(files.src_uris[target].url, page.url)
        return f'<a class="to-reference" href="{address}">{match[0]}</a>'

    # The picture of a class stands where the class is described, not below its methods.
    picture = re.search(r'<p><img [^>]*class="picture"[^>]*></p>', html)
    if picture and html.count('class="picture"') == 1 and page.file.src_uri != "reference/plots.md":
        contents = '<div class="doc doc-contents first">'
        html = html.replace(picture[0], "").replace(contents, contents + picture[0], 1)

    # What stands in a link, a heading or a block of code is found first, and stays as it is.
    return re.sub(
        r"<(?P<tag>a|h[1-6]|pre)\b.*?</(?P=tag)>"
        r"|<code>(?:keras_hpa\.)?(?P<name>\w+)(?:\.\w+)*(?:\([^<]*\))?</code>",
        link,
        html,
        flags=re.DOTALL,
    )


def _index() -> str:
    lines = ["# Reference", "", "Every public name, in the order in which data flow: from files to decisions."]
    for room, title in ROOMS.items():
        rows = [
            f"| [`{public.name}`]({public.name}.md) | {public.summary.replace('|', chr(92) + '|')} |"
            for public in _names
            if public.room == room
        ]
        if rows:
            lines += ["", f"## {title}", "", "| Name | What it is |", "| --- | --- |", *rows]
    return "\n".join(lines) + "\n"


def _page(public: PublicName) -> str:
    return "\n".join(_blocks(public)) + "\n"


def _blocks(public: PublicName) -> Iterator[str]:
    yield f"---\ntitle: {public.name}\nsearch: {{boost: 3}}\n---\n"
    if not public.members:
        yield from _symbol(public.name, public.definition, level=1)
        return
    yield f"# keras_hpa.{public.name}\n\n{public.definition.docstring.value}\n"
    for member in public.members:
        yield from _symbol(f"{public.name}.{member.name}", member, level=2)
    if public.name == "atlas":
        yield from _classes(Path(str(public.definition.filepath)))


def _symbol(name: str, definition: griffe.Object, level: int) -> Iterator[str]:
    options = {"heading": f"keras_hpa.{name}", "toc_label": name, "heading_level": level}
    if definition.is_attribute and " for " in str(definition.value):
        options["show_attribute_values"] = "false"  # how a constant is computed tells nobody what it is
    yield f"::: {definition.path}\n    options:\n" + "".join(
        f"      {key}: {value}\n" for key, value in options.items()
    )
    if name in _PICTURES:
        file, description = _PICTURES[name]
        yield f"![{description}](../figures/{file}){{ .picture }}\n"


def _classes(path: Path) -> Iterator[str]:
    """The 28 classes, from the module itself, which needs nothing but NumPy."""
    atlas = runpy.run_path(str(path))
    yield "## The classes\n"
    yield "| Label | Class | Training samples | In the single-cell challenge |\n| ---: | --- | ---: | --- |"
    rows = np.eye(len(atlas["CLASS_NAMES"]))
    for label, (name, count) in enumerate(zip(atlas["CLASS_NAMES"], atlas["CLASS_COUNTS"], strict=True)):
        merged = atlas["to_single_cell_classes"](rows[[label]])[0]
        then = [atlas["SINGLE_CELL_CLASS_NAMES"][number] for number in np.flatnonzero(merged)]
        yield f"| {label} | {name} | {count:,} | {then[0] if then else '-'} |"
