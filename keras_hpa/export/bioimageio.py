"""A model as a package of the BioImage Model Zoo."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import keras
import numpy as np
import numpy.typing as npt

from keras_hpa.data import needs
from keras_hpa.export.convert import OUTPUTS
from keras_hpa.export.onnx import write_onnx
from keras_hpa.export.whole_model import WholeModel, integer_maximum, whole_model
from keras_hpa.files import replacing
from keras_hpa.graphs import FoldedModel

if TYPE_CHECKING:
    from keras_hpa.thresholds import ThresholdCalibrator


def bioimageio(
    model: keras.Model | FoldedModel,
    path: str | os.PathLike[str],
    calibrator: ThresholdCalibrator | None = None,
    *,
    title: str,
    description: str,
    authors: Sequence[Mapping[str, str]],
    license: str,
    documentation: str,
    test_images: npt.ArrayLike,
    channels: Sequence[str],
    class_names: Sequence[str] | None = None,
    cite: Sequence[Mapping[str, str]] = (),
    links: Sequence[str] = (),
    tags: Sequence[str] = (),
    cover: str | os.PathLike[str] | None = None,
    input_dtype: str | None = None,
    max_value: float | None = None,
    pixel_size: float | None = None,
) -> None:
    """Writes a model as a BioImage.IO package, the form in which programs for microscopy exchange networks.

    The package is one zip file: the network as ONNX, a test input with the outputs that Keras gives for it, the axes
    with the names of channels and classes and the pixel size, the scaling of integers, and what you say of authors,
    licence and use. Nothing of that is made up here. Before the package appears, `bioimageio.core.test_model` runs it,
    for which no network is needed.

    Needs `pip install "keras-hpa[bioimageio]"`.

    Args:
        model: as for `export.onnx`.
        path: where to write, a name that ends in `.zip`.
        calibrator: as for `export.onnx`.
        title: the name of the model, at least 5 letters, digits, spaces or any of `_+-()`.
        description: what it is, in one or two sentences.
        authors: for each a mapping with `name` and, as far as wanted, `affiliation`, `email`, `orcid`, `github_user`.
        license: an SPDX identifier, such as "CC-BY-4.0".
        documentation: text in Markdown: what the model is for, how it was trained, and, below a heading
            "Validation", how to find out whether it works on new data.
        test_images: a batch of real images, `(batch, height, width, channels)`, of the type that the package takes.
            Where the network takes any size, the package says: from that of these images on.
        channels: as for `export.onnx`.
        class_names: as for `export.onnx`; wanted here, by a calibrator that has them or by this argument.
        cite: for each a mapping with `text` and `doi` or `url`.
        links: ids of other resources of the model zoo.
        tags: words to find the model by.
        cover: a picture of it, PNG, JPEG, GIF or SVG; `None` for one that is drawn from the first test image.
        input_dtype: as for `export.onnx`; the division is in the package's own preprocessing.
        max_value: as for `export.onnx`.
        pixel_size: as for `export.onnx`.

    Raises:
        ImportError: if a package is missing.
        ValueError: if an argument is not as above.
        RuntimeError: if the test fails; nothing is written.

    Example:
        >>> import keras_hpa
        >>> model = keras_hpa.GapNet((128, 128, 4), 28, input_dtype="uint8")
        >>> keras_hpa.export.bioimageio(  # doctest: +SKIP
        ...     model,
        ...     "model.zip",
        ...     title="Protein location",
        ...     description="Where in the cell a protein is.",
        ...     authors=[{"name": "Your Name"}],
        ...     license="CC-BY-4.0",
        ...     documentation="# Protein location\\n...\\n## Validation\\n...",
        ...     test_images=images,
        ...     channels=keras_hpa.atlas.CHANNELS,
        ...     class_names=keras_hpa.atlas.CLASS_NAMES,
        ... )

    References:
        https://bioimage.io, and the model description 0.5 of bioimageio.spec.
    """
    path = Path(path)
    if path.suffix.lower() != ".zip":
        raise ValueError(f'`path` must end in ".zip". Received: {os.fspath(path)!r}')
    if channels is None:
        raise ValueError("`channels` must be the names of the channels. Received: None")
    names: dict[str, Any] = {"channels": channels, "class_names": class_names, "pixel_size": pixel_size}
    scaled = whole_model(model, calibrator, input_dtype=input_dtype, max_value=max_value, **names)
    # What the package's preprocessing does, its network does not.
    inner = scaled if input_dtype is None else whole_model(model, calibrator, input_dtype=None, max_value=None, **names)
    if scaled.about["class_names"] is None:
        raise ValueError("`class_names` must be given, or be those of `calibrator`. Received: None")
    images = _check_images(np.asarray(test_images), scaled.model)
    if not authors or not all(author.get("name") for author in authors):
        raise ValueError(f"`authors` must hold a mapping with a `name` for each author. Received: {authors!r}")
    maximum = None if input_dtype is None else integer_maximum(input_dtype, max_value)
    spec, description_of_model, core = (
        needs(name, "`export.bioimageio` describes and tests the package", extra="bioimageio")
        for name in ("bioimageio.spec", "bioimageio.spec.model.v0_5", "bioimageio.core")
    )
    with tempfile.TemporaryDirectory() as name, spec.ValidationContext(perform_io_checks=True, raise_errors=True):
        temporary = Path(name)
        opset = write_onnx(inner, temporary / "model.onnx", "bioimageio", path)
        arrays = dict(zip(("images", *OUTPUTS), (images, *scaled.answer(images)), strict=False))
        for key, array in arrays.items():
            np.save(temporary / f"{key}.npy", array)
        (temporary / "README.md").write_text(documentation, encoding="utf-8")
        (temporary / "cover.png").write_bytes(_draw(images[0]))
        described = description_of_model.ModelDescr(
            name=title,
            description=description,
            authors=[dict(author) for author in authors],
            license=license,
            documentation={"source": temporary / "README.md"},
            cite=[dict(entry) for entry in cite],
            links=list(links),
            tags=list(tags),
            covers=[{"source": temporary / "cover.png" if cover is None else Path(cover).absolute()}],
            inputs=[
                {
                    "id": "images",
                    "axes": _image_axes(scaled, images),
                    "test_tensor": {"source": temporary / "images.npy"},
                    "data": {"type": images.dtype.name},
                    "preprocessing": _preprocessing(images.dtype.name, maximum),
                }
            ],
            outputs=[
                {
                    "id": key,
                    "axes": [{"type": "batch"}, {"type": "channel", "channel_names": scaled.about["class_names"]}],
                    "test_tensor": {"source": temporary / f"{key}.npy"},
                    "data": {"type": arrays[key].dtype.name},
                }
                for key in OUTPUTS[: len(arrays) - 1]
            ],
            weights={"onnx": {"source": temporary / "model.onnx", "opset_version": opset}},
        )
        with replacing(path) as written:
            spec.save_bioimageio_package(described, output_path=written)
            summary = core.test_model(written)
            if summary.status != "passed":
                raise RuntimeError(f"The package must pass its test. Received: {summary.format()}")


def _check_images(images: npt.NDArray[Any], model: keras.Model) -> npt.NDArray[Any]:
    fits = images.ndim == 4 and len(images) and images.dtype == model.inputs[0].dtype
    if not fits or any(
        side not in (None, found) for side, found in zip(model.input_shape[1:], images.shape[1:], strict=True)
    ):
        raise ValueError(
            f"`test_images` must be of type {model.inputs[0].dtype} and shape {model.input_shape}. "
            f"Received: {images.dtype} {images.shape}"
        )
    return images


def _image_axes(whole: WholeModel, images: npt.NDArray[Any]) -> list[dict[str, Any]]:
    size = whole.about["pixel_size"]
    scale = {} if size is None else {"unit": "micrometer", "scale": size}
    sides = [
        {"type": "space", "id": key, "size": side or {"min": found, "step": 1}, **scale}
        for key, side, found in zip("yx", whole.model.input_shape[1:3], images.shape[1:3], strict=True)
    ]
    return [{"type": "batch"}, *sides, {"type": "channel", "channel_names": whole.about["channels"]}]


def _preprocessing(dtype: str, maximum: float | None) -> list[dict[str, Any]]:
    if maximum is None:
        return []
    scaling = [{"id": "scale_linear", "kwargs": {"gain": 1 / maximum}}] if maximum != 1 else []
    ends = [{"id": "ensure_dtype", "kwargs": {"dtype": name}} for name in (dtype, "float32")]
    return [ends[0], *scaling, ends[1]]


def _draw(image: npt.NDArray[Any]) -> bytes:
    """The channels of an image side by side, each from its darkest to its brightest pixel, as a PNG."""
    pixels = image.astype(np.float64)
    low, high = pixels.min(axis=(0, 1)), pixels.max(axis=(0, 1))
    pixels = (pixels - low) / np.where(high > low, high - low, 1)
    return bytes(imagecodecs.png_encode(np.concatenate([*np.moveaxis((255 * pixels).astype(np.uint8), -1, 0)], axis=1)))
