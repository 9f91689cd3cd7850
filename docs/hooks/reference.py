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
_FOCAL = (
    "focal_losses.webp",
    "Loss against the predicted probability. For a present label all three fall from 3 or more to 0, binary "
    "cross-entropy highest, AsymmetricLoss below it, the focal loss lowest. For an absent label cross-entropy "
    "rises at once, the focal loss from about 0.2, AsymmetricLoss from about 0.5",
)
_PERFECT = (
    "perfect_predictor.webp",
    "The score of a perfect predictor: MacroF1 gives 1 at any batch size, the mean over batches rises from .18 at 4 "
    "samples to .95 at 2,048",
)
_SYMMETRIES = (
    "apply_symmetry.webp",
    "A crop with a letter F under symmetries 0 to 7: upright, turned counterclockwise by one, two and three quarters, "
    "then the same four mirrored first. Above each, what undoes it: 3 for 1, 1 for 3, itself for all others",
)
_PICTURES = {
    "AsymmetricLoss": _FOCAL,
    "BatchMacroF1": _PERFECT,
    "ChannelGain": (
        "channel_gain.webp",
        "A drawn sample and three draws beside it, twice. With gain 0.2 brightness and hue change a little; with gain "
        "1.0 one draw is mostly blue, one greenish and dark, one glowing red",
    ),
    "ChannelMixer": (
        "channel_mixer.webp",
        "The red, green, blue and yellow channel of a drawn sample; below, the colour pictures mixed from them. "
        '"report": R is half red, half blue, G half blue, half yellow, B green. '
        '"kernel": R is half red, half yellow, G half green, half yellow, B blue',
    ),
    "ClassBalancedCrossentropy": (
        "class_balanced_crossentropy.webp",
        "Weight of a class against its number of training samples, both logarithmic. With beta 0.999 it falls from 10 "
        "at 11 samples to 0.1 at a few thousand and stays there; with 0.9999 it falls on, with 0.99 it is level from "
        "some 300 samples on, with 0 it is 1 throughout",
    ),
    "ClassBalancedFocalCrossentropy": _FOCAL,
    "GapNet": (
        "gapnet.webp",
        "An image of 512 x 512 x 4 goes through three blocks of convolutions, with 32, 64 and 128 filters; the "
        "means of the three outputs over the image are joined to a vector of 224, which the head takes through two "
        "dense layers of 256 to 28 sigmoids",
    ),
    "ImageStandardization": (
        "image_standardization.webp",
        "The nuclei of a dim and of a bright field, before and after the layer: mean and deviation, 2 ± 8 and 15 ± 37 "
        "before, are 0 ± 1 in both afterwards, and both are equally well seen",
    ),
    "MacroF1": _PERFECT,
    "MacroF1Loss": (
        "macro_f1_loss.webp",
        'Loss of one class against its probability. Absent from the batch: "report" stays at 1, "smooth" rises from 0 '
        'towards 1. Present once: "report" falls from 1 to 0, "smooth" from 0.5 to 0',
    ),
    "MultiChannelSequence": (
        "multi_channel_sequence.webp",
        "The first batch of two epochs, four merged samples each, with their labels above: the same samples, in the "
        "second epoch turned or mirrored another way",
    ),
    "PercentileNormalization": (
        "percentile_normalization.webp",
        "The nuclei of a dim and of a bright field, before and after the layer: values of 0 to 50 and 0 to 211 before, "
        "0 to 1 in both afterwards, and both are equally well seen",
    ),
    "PretrainedClassifier": (
        "pretrained_classifier.webp",
        "The layers of three models around MobileNetV2, by name, with the shapes of what comes out of them: mixer and "
        'head "report", mixer and head "gap", inflated channels and head "multi-level"',
    ),
    "RareLabels": (
        "rare_labels.webp",
        "How often a pass shows a class against how many samples have it, both logarithmic. A class of 10 samples is "
        "seen 10 times at power 0, some 140 times at 0.5 and 1,300 times at 1; one of 12,900 hardly less often",
    ),
    "SyntheticAtlas": (
        "synthetic_atlas_classes.webp",
        "One drawn sample of each class: protein green, microtubules red, nuclei blue",
    ),
    "ThresholdCalibrator": (
        "threshold_curves.webp",
        "F1 against the threshold for eight classes, with the chosen threshold and the interval of its F1",
    ),
    "ThresholdReport": (
        "tutorial_thresholds.webp",
        "The threshold of each class beside its F1 and its number of samples",
    ),
    "apply_symmetry": _SYMMETRIES,
    "class_activation_maps": (
        "activation_maps.webp",
        "Three drawn samples, and beside each where the network saw Nucleoli, Golgi apparatus and Plasma membrane",
    ),
    "inflate_channels": (
        "inflate_channels.webp",
        "What the filters for red, green, blue and yellow take from those of R, G and B. The first three are kept, and "
        'yellow is that of R with "copy", a third of each with "mean", nothing with "zero"; with "repeat" yellow is '
        "that of R, and all are scaled by 0.75",
    ),
    "inverse_symmetry": _SYMMETRIES,
    "predict_scores": (
        "predict_scores.webp",
        "An image of 256 pixels with four overlapping frames, and beside it the four tiles of 150 pixels that they cut "
        "out: cells where frames overlap are seen in two tiles or in four",
    ),
    "stratified_split": (
        "stratified_split.webp",
        "Share of the eight rarest classes that falls to a set of 20 %: stratified, 18 to 23 % of every class; in 100 "
        "random splits, 0 to 50 % of Rods & rings with 10 samples, and 14 to 25 % of Aggresome with 324",
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
        "Loss and macro-F1 of a training over twenty epochs, in training and in validation",
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
    pages = {public.name: public for public in _names}
    of_modules = {member.name: (public, f"#{member.path}") for public in _names for member in public.members}

    def link(match: re.Match[str]) -> str:
        words = re.findall(r"\w+", match["name"] or "")
        target, anchor = pages.get(words[0]) if words else None, ""
        # `thresholds` alone is an argument, `report()` a method; of `thresholds.MaxF1(beta=2)`, `MaxF1` is what counts.
        if words and (target is None or target.members) and (len(words) > 1 or match["called"] or not match["package"]):
            target, anchor = of_modules.get(words[-1], (None, ""))
        if target is None or target.page == page.file.src_uri:
            return match[0]
        address = get_relative_url(files.src_uris[target.page].url, page.url)
        return f'<a class="to-reference" href="{address}{anchor}">{match[0]}</a>'

    # The picture of a class stands where the class is described, not below its methods.
    picture = re.search(r'<p><img [^>]*class="picture"[^>]*></p>', html)
    if picture and html.count('class="picture"') == 1 and page.file.src_uri != "reference/plots.md":
        contents = '<div class="doc doc-contents first">'
        html = html.replace(picture[0], "").replace(contents, contents + picture[0], 1)

    # What stands in a link, a heading or a block of code is found first, and stays as it is.
    return re.sub(
        r"<(?P<tag>a|h[1-6]|pre)\b.*?</(?P=tag)>"
        r"|<code>(?P<package>keras_hpa\.)?(?P<name>\w+(?:\.\w+)*)(?P<called>\([^<]*\))?</code>",
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
