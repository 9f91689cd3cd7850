"""Twenty TIFFs and a workbook, as a laboratory hands them over; also a script: `python tests/docs/lab.py FOLDER`."""

import sys
from pathlib import Path

import tifffile

import keras_hpa

CLASSES = ("Nucleoli", "Microtubules")  # drawn for every image: the first, the second or both


def write_lab(folder: Path, *, image_size: int = 160, slides: int = 10) -> None:
    """Writes `images/cell00.tif`, ... of four channels, two for each slide, and `labels.xlsx`."""
    import openpyxl

    drawn = keras_hpa.SyntheticAtlas(3000, image_size=image_size, seed=3, balance="uniform")
    numbers = [keras_hpa.atlas.CLASS_NAMES.index(name) for name in CLASSES]
    only = drawn.labels.sum(axis=1) == drawn.labels[:, numbers].sum(axis=1)
    kinds = [[int(i) for i in (only & (drawn.labels[:, number] == 1)).nonzero()[0][:slides]] for number in numbers]
    workbook = openpyxl.Workbook()
    workbook.active.append(["id", "location", "slide"])
    (folder / "images").mkdir()
    for place in range(2 * slides):
        index = kinds[place % 2][place // 2]
        names = [name for name, number in zip(CLASSES, numbers, strict=True) if drawn.labels[index, number]]
        channels_first = drawn.read(index).transpose(2, 0, 1)
        tifffile.imwrite(
            folder / "images" / f"cell{place:02d}.tif", channels_first, imagej=True, metadata={"axes": "CYX"}
        )
        workbook.active.append([f"cell{place:02d}", "; ".join(names), f"slide {place // 2}"])
    workbook.save(folder / "labels.xlsx")


if __name__ == "__main__":
    write_lab(Path(sys.argv[1]))
