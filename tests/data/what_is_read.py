"""The page "What is read as what": every line of it is a file that tests/data/test_reading.py writes and reads.

python -m tests.data.what_is_read
"""

import json
from collections import Counter
from pathlib import Path

from tests.data import (
    public_images,
    reading_cases_colours,
    reading_cases_hostile,
    reading_cases_images,
    reading_cases_ome,
    reading_cases_palettes,
    reading_cases_whole,
)
from tests.data.reading_cases import CASES, SUBJECTS, Case

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "what-is-read.md"
MODULES = (
    reading_cases_colours,
    reading_cases_hostile,
    reading_cases_images,
    reading_cases_ome,
    reading_cases_palettes,
    reading_cases_whole,
)

_INTRODUCTION = """\
# What is read as what

Every line is a file that the tests write, with `read_stack`'s array compared value by value, or the words with which
both `read_stack` and `read_image` refuse it. `read_image` gives the same values of one channel, and refuses a file of
several; of RGB it takes the [strongest colour](loading.md#what-reads-what). `channels` means an array of shape
`(height, width, channels)`. In front of the quoted words stand `Cannot read` and the path.
"""


_PUBLIC = """\
## Beside tifffile and Pillow

{images} images of the test suites of Pillow, imageio and scikit-image: {read} are read, and differ from what
tifffile and Pillow give only as this table says; {refused} are refused.
`python -m tests.data.public_images FOLDER` counts them.

| | tifffile | Pillow | NumPy |
| --- | --- | --- | --- |"""


def page() -> str:
    """Makes the text of the page."""
    lines = [line for subject in SUBJECTS for line in _section(subject)]
    return "\n".join([_INTRODUCTION, *lines, *_beside_others(), ""])


def _beside_others() -> list[str]:
    entries = json.loads(public_images.MANIFEST.read_text(encoding="utf-8"))
    refused = sum("refused" in entry for entry in entries)
    others = [Counter(entry.get(other) for entry in entries) for other in ("tifffile", "pillow", "numpy")]
    rows = [
        f"| {meaning} | {' | '.join(str(counts[outcome]) for counts in others)} |"
        for outcome, meaning in public_images.STATED.items()
        if any(counts[outcome] for counts in others)
    ]
    return [_PUBLIC.format(images=len(entries), read=len(entries) - refused, refused=refused), *rows]


def _section(subject: str) -> list[str]:
    """A table in which a line stands for each property and outcome, whatever formats have it."""
    lines: dict[tuple[str, str], list[str]] = {}
    for case in sorted((case for case in CASES if case.subject == subject), key=lambda case: case.is_refused):
        formats = lines.setdefault((case.what, _outcome(case)), [])
        if case.format not in formats:
            formats.append(case.format)
    rows = [f"| {what} | {', '.join(formats)} | {outcome} |" for (what, outcome), formats in lines.items()]
    return [f"## {subject}", "", "| in the file | format | read as |", "| --- | --- | --- |", *rows, ""]


def _outcome(case: Case) -> str:
    return f"refused: “{case.becomes}”" if case.is_refused else case.becomes


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
