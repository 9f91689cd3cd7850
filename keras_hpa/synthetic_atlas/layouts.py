"""Drawn samples as laboratories keep theirs: stacks, folders, plates and tables."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_hpa.data import Samples, needs, pixel_size_of
from keras_hpa.files import write_bytes, write_csv

_FIELDS_PER_WELL = 2
_ROWS, _COLUMNS = 16, 24
_TWELVE_BITS = 16  # 0 to 255 becomes 0 to 4,080


def write_layout(samples: Samples, root: str | Path, layout: str) -> None:
    """Writes samples of uint8 images with labels, in a layout of `LAYOUTS`, into a folder that is new or empty."""
    if layout not in LAYOUTS:
        raise ValueError(f"`layout` must be one of {['kaggle', *LAYOUTS]}. Received: {layout!r}")
    folder = Path(root)
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise ValueError(f"`root` must be a new or empty folder. Received: {str(root)!r}")
    if not len(samples):
        raise ValueError(f"`samples` must hold a sample at least for layout {layout!r}. Received: none")
    folder.mkdir(parents=True, exist_ok=True)
    LAYOUTS[layout](samples, folder)


def _hyperstacks(samples: Samples, folder: Path) -> None:
    """ImageJ's: three planes of 16 bits, the middle one in focus; a table with a column of 1 and 0 per class."""
    import cv2

    for index, sample_id in enumerate(samples.ids):
        image = _of_16_bits(samples, index)
        blurred = cv2.GaussianBlur(image, (0, 0), 2.0).reshape(image.shape)
        stack = np.stack([np.moveaxis(one, -1, 0) for one in (blurred // 2, image, blurred // 2)])
        per_micrometre = 1 / (pixel_size_of(samples, index) or 1)
        _write_tiff(
            folder / "images" / f"{sample_id}.tif",
            stack,
            imagej=True,
            resolution=(per_micrometre, per_micrometre),
            metadata={"axes": "ZCYX", "unit": "um"},
        )
    plates = [f"plate{number % 3 + 1}" for number in range(len(samples))]
    rows = [[id_, plate, *row] for id_, plate, row in zip(samples.ids, plates, _labels(samples), strict=True)]
    write_csv(folder / "labels.csv", [["image", "plate", *_names(samples)], *rows])


def _class_folders(samples: Samples, folder: Path) -> None:
    """A folder per class of OME-TIFFs; of several classes a sample is in the first."""
    for index, (sample_id, row) in enumerate(zip(samples.ids, _labels(samples), strict=True)):
        image = np.moveaxis(samples.read(index), -1, 0)
        size = pixel_size_of(samples, index)
        about: dict[str, Any] = {"axes": "CYX", "Channel": {"Name": list(samples.channels)}}
        about |= {} if size is None else {"PhysicalSizeX": size, "PhysicalSizeY": size}
        name = _names(samples)[int(np.argmax(row))]
        _write_tiff(folder / name.replace("/", "-") / f"{sample_id}.ome.tif", image, ome=True, metadata=about)


def _five_channels(samples: Samples, folder: Path) -> None:
    """12 bits in 16, all channels of a sample in one TIFF, and a fifth that is their mean; a table of names."""
    for index, sample_id in enumerate(samples.ids):
        image = _of_16_bits(samples, index)
        mean = image.mean(axis=-1, keepdims=True).astype(np.uint16)
        image = np.concatenate([image, mean], axis=-1)
        _write_tiff(folder / "images" / f"{sample_id}.tif", np.moveaxis(image, -1, 0), metadata={"axes": "CYX"})
    rows = zip(samples.ids, _texts(samples), strict=True)
    write_csv(folder / "labels.csv", [["id", "location"], *rows])


def _paths(samples: Samples, folder: Path) -> None:
    """A PNG per channel, and a table with a column of paths for each."""
    import cv2

    rows = []
    for index, (sample_id, text) in enumerate(zip(samples.ids, _texts(samples), strict=True)):
        image = samples.read(index)
        paths = [f"{channel}/{sample_id}.png" for channel in samples.channels]
        for channel, path in enumerate(paths):
            (folder / path).parent.mkdir(exist_ok=True)
            write_bytes(folder / path, cv2.imencode(".png", image[..., channel])[1].tobytes(), clean=False)
        rows.append([*paths, text, f"antibody{index // 2 + 1}"])
    write_csv(folder / "table.csv", [[*samples.channels, "location", "antibody"], *rows])


def _harmony(samples: Samples, folder: Path) -> None:
    """Opera and Operetta: Images/ with an index, and a table with a row per well."""
    written = []
    for field in _plate(samples):
        image = _of_16_bits(samples, field.index)
        for number, channel in enumerate(samples.channels, start=1):
            name = f"r{field.row + 1:02}c{field.column + 1:02}f{field.number + 1:02}p01-ch{number}sk1fk1fl1.tiff"
            _write_tiff(folder / "Images" / name, image[..., number - 1])
            metres = (pixel_size_of(samples, field.index) or 1) * 1e-6
            written.append(
                f"<Image><URL>{name}</URL><ChannelID>{number}</ChannelID><ChannelName>{channel}</ChannelName>"
                f'<ImageResolutionX Unit="m">{metres:.6g}</ImageResolutionX></Image>'
            )
    text = '<?xml version="1.0" encoding="utf-8"?>\n<EvaluationInputData Version="1"><Images>\n'
    text += "\n".join(written) + "\n</Images></EvaluationInputData>\n"
    write_bytes(folder / "Images" / "Index.idx.xml", text.encode())
    _write_wells(samples, folder)


def _metaxpress(samples: Samples, folder: Path) -> None:
    """ImageXpress: A01_s1_w1.TIF, and a table with a row per well."""
    for field in _plate(samples):
        size = pixel_size_of(samples, field.index) or 1
        said = [f'<prop id="spatial-calibration-{name}" type="float" value="{size}"/>' for name in "xy"]
        said += ['<prop id="spatial-calibration-units" type="string" value="um"/>']
        image = _of_16_bits(samples, field.index)
        for number in range(len(samples.channels)):
            _write_tiff(
                folder / f"{field.well}_s{field.number + 1}_w{number + 1}.TIF",
                image[..., number],
                description=f"<MetaData>{''.join(said)}</MetaData>",
            )
    _write_wells(samples, folder)


def _ome_zarr(samples: Samples, folder: Path) -> None:
    """An OME-Zarr plate of version 0.4 with two levels of resolution, and a table with a row per well."""
    zarr = needs("zarr", "OME-Zarr is written by zarr", extra="zarr")
    plate = zarr.open_group(str(folder / "plate.zarr"), mode="w", zarr_format=2)
    fields = list(_plate(samples))
    wells = {field.well: field for field in fields}
    plate.attrs["plate"] = {
        "version": "0.4",
        "rows": [{"name": chr(65 + row)} for row in sorted({field.row for field in fields})],
        "columns": [{"name": str(column + 1)} for column in sorted({field.column for field in fields})],
        "wells": [
            {"path": f"{well[0]}/{field.column + 1}", "rowIndex": field.row, "columnIndex": field.column}
            for well, field in wells.items()
        ],
    }
    for field in fields:
        well = plate.require_group(f"{field.well[0]}/{field.column + 1}")
        numbers = [one.number for one in fields if one.well == field.well]
        well.attrs["well"] = {"version": "0.4", "images": [{"path": str(number)} for number in numbers]}
        group = well.require_group(str(field.number))
        image = np.moveaxis(samples.read(field.index), -1, 0)
        _write_pyramid(group, image, samples.channels, pixel_size_of(samples, field.index) or 1)
    _write_wells(samples, folder)


def _write_pyramid(group: Any, image: npt.NDArray[Any], channels: Sequence[str], pixel_size: float) -> None:
    height, width = (side // 2 * 2 for side in image.shape[1:])
    halves = image[:, :height, :width].reshape(len(image), height // 2, 2, width // 2, 2).mean((2, 4))
    datasets = []
    for level, one in enumerate((image, halves.astype(image.dtype))):
        group.create_array(
            str(level), data=one, chunks=(1, *one.shape[1:]), chunk_key_encoding={"name": "v2", "separator": "/"}
        )
        scale = [1.0, pixel_size * 2**level, pixel_size * 2**level]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]
    group.attrs["omero"] = {"channels": [{"label": channel, "color": "FFFFFF"} for channel in channels]}


@dataclass
class _Field:
    """Where a sample lies on a plate; rows, columns and fields are counted from 0 on."""

    index: int
    row: int
    column: int
    number: int

    @property
    def well(self) -> str:
        return f"{chr(65 + self.row)}{self.column + 1:02}"


def _plate(samples: Samples) -> list[_Field]:
    """Samples of the same labels in one well, two at most."""
    texts = _texts(samples)
    fields: list[_Field] = []
    well = -1
    for place, index in enumerate(order := sorted(range(len(samples)), key=lambda index: texts[index])):
        is_same = place > 0 and texts[order[place - 1]] == texts[index] and fields[-1].number + 1 < _FIELDS_PER_WELL
        well += not is_same
        fields.append(_Field(index, well // _COLUMNS, well % _COLUMNS, fields[-1].number + 1 if is_same else 0))
    if well >= _ROWS * _COLUMNS:
        raise ValueError(
            f"`layout` of a plate must hold samples of at most {_ROWS * _COLUMNS} wells, where samples of different "
            f"labels are in different ones. Received: {well + 1}"
        )
    return fields


def _write_wells(samples: Samples, folder: Path) -> None:
    texts = _texts(samples)
    wells = {field.well: texts[field.index] for field in _plate(samples)}
    text = "well;location\n" + "".join(f"{well};{labels}\n" for well, labels in wells.items())
    write_bytes(folder / "wells.csv", text.encode())


def _names(samples: Samples) -> Sequence[str]:
    assert samples.class_names is not None
    return samples.class_names


def _labels(samples: Samples) -> list[list[int]]:
    assert samples.labels is not None
    return samples.labels.tolist()


def _texts(samples: Samples) -> list[str]:
    names = _names(samples)
    return ["|".join(name for name, one in zip(names, row, strict=True) if one) for row in _labels(samples)]


def _of_16_bits(samples: Samples, index: int) -> npt.NDArray[np.uint16]:
    return samples.read(index).astype(np.uint16) * _TWELVE_BITS


def _write_tiff(path: Path, image: npt.NDArray[Any], **options: Any) -> None:
    import tifffile

    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, image, photometric="minisblack", **options)


LAYOUTS: dict[str, Callable[[Samples, Path], None]] = {
    "hyperstacks": _hyperstacks,
    "class folders": _class_folders,
    "five channels": _five_channels,
    "paths": _paths,
    "harmony": _harmony,
    "metaxpress": _metaxpress,
    "ome-zarr": _ome_zarr,
}
