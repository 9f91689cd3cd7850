"""OME-Zarr as converters write it, with images of a few pixels."""

import numpy as np

AXES = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}, {"name": "z", "type": "space"}]
AXES = [*AXES, *({"name": name, "type": "space", "unit": "micrometer"} for name in "yx")]


def write_image(
    group, pixels, *, version="0.4", names=("DAPI", "GFP"), pixel_size=0.325, levels=3, axes="tczyx", **more
):
    """Writes a pyramid of an array whose axes are `axes`; each level is the mean of two by two pixels."""
    known = {axis["name"]: axis for axis in AXES}
    datasets = []
    for level in range(levels):
        step = 2**level
        height, width = pixels.shape[-2] // step * step, pixels.shape[-1] // step * step
        cut = pixels[..., :height, :width]
        small = cut.reshape(*cut.shape[:-2], height // step, step, width // step, step).mean((-3, -1)).astype(cut.dtype)
        chunks = (1,) * (small.ndim - 2) + small.shape[-2:]
        options = {} if version == "0.5" else {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        group.create_array(str(level), data=small, chunks=chunks, **options)
        scale = [pixel_size * step if axis in "yx" else 1.0 for axis in axes]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    said = {
        "multiscales": [
            {"version": version, "axes": [dict(known[axis]) for axis in axes], "datasets": datasets, **more}
        ]
    }
    if names is not None:
        said["omero"] = {"channels": [{"label": name, "color": "FFFFFF"} for name in names]}
    tell(group, said, version)


def tell(group, said, version="0.4"):
    group.attrs.update({"ome": {"version": version, **said}} if version == "0.5" else said)


def new_group(root, version="0.4", **options):
    import zarr

    return zarr.open_group(str(root), mode="w", zarr_format=3 if version == "0.5" else 2, **options)


def write_plate(root, *, version="0.4", wells=("A/1", "A/2", "B/1", "B/2"), fields=2, planes=1, size=16, levels=3):
    """A pixel of channel c in plane z is 1000 x well + 100 x field + 10 x z + c, wells and fields counted from 1 on."""
    plate = new_group(root, version)
    rows, columns = (sorted({well.split("/")[n] for well in wells}) for n in (0, 1))
    said = {"rows": [{"name": name} for name in rows], "columns": [{"name": name} for name in columns]}
    said |= {"wells": [{"path": well, "rowIndex": 0, "columnIndex": 0} for well in wells], "version": version}
    tell(plate, {"plate": said}, version)
    for number, well in enumerate(wells, start=1):
        group = plate.require_group(well)
        tell(group, {"well": {"images": [{"path": str(field)} for field in range(fields)]}}, version)
        for field in range(fields):
            values = 1000 * number + 100 * (field + 1) + 10 * np.arange(planes) + np.arange(2)[:, None]
            pixels = np.broadcast_to(values[None, :, :, None, None], (1, 2, planes, size, size)).astype("uint16")
            write_image(group.require_group(str(field)), pixels, version=version, levels=levels)
