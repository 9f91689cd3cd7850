"""The pictures of a run report: samples as they are shown, and everything as the text of an HTML file."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import keras
import numpy as np
import numpy.typing as npt

from keras_hpa import plots
from keras_hpa.data import MultiChannelSequence, subset
from keras_hpa.explanation import class_activation_maps
from keras_hpa.inference import batches_for

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PICTURE_SIZE, CHANNEL_SIZE = 288, 160  # pixels
_READING = ("image_size", "fit", "pixel_size", "interpolation", "dtype", "max_value")


def read_images(
    samples: Any, indices: Sequence[int], model: keras.Model | None, batches: MultiChannelSequence | None
) -> Sequence[npt.NDArray[Any]]:
    """Some samples as the network gets them, or as they are where there is none."""
    if model is None:
        return [samples.read(int(index)) for index in indices]
    if not indices:
        return []
    options = {} if batches is None else {name: getattr(batches, name) for name in _READING}
    return batches_for(model, subset(samples, indices), batch_size=len(indices), workers=0, **options).in_order()[0]


def sample_pictures(
    images: Sequence[npt.NDArray[Any]], channels: Sequence[str], model: keras.Model | None, number: int
) -> list[dict[str, object]]:
    """Of each image its channels merged, each channel, and where a network saw a class in it."""
    maps = [None] * len(images) if model is None or not len(images) else class_activation_maps(model, images, [number])
    drawn = []
    for image, where in zip(images, maps, strict=True):
        shown = plots.displayed(image, channels)
        pictures: dict[str, object] = {
            "merge": webp_uri(shown.merge, _PICTURE_SIZE),
            "channels": [
                (name, webp_uri(panel, CHANNEL_SIZE)) for name, panel in zip(shown.titles, shown.panels, strict=True)
            ],
        }
        if where is not None:
            seen = plots.glow(shown, where)
            pictures["seen"] = webp_uri(seen.pictures[0], _PICTURE_SIZE)
            pictures["highest"] = float(seen.highest[0]) if np.max(where) > 0 else 0.0
        drawn.append(pictures)
    return drawn


def svg_uri(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="svg", metadata={"Date": None})
    return _data_uri("image/svg+xml", file.getvalue())


def webp_uri(picture: npt.NDArray[np.float64], size: int) -> str:
    """A picture, RGB from 0 to 1, no larger than `size` and small in bytes."""
    pixels = np.round(255 * np.clip(picture, 0, 1)).astype(np.uint8)
    scale = min(1, size / max(pixels.shape[:2]))
    if scale < 1:
        height, width = (max(1, round(scale * length)) for length in pixels.shape[:2])
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    _, content = cv2.imencode(".webp", pixels[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 85])
    return _data_uri("image/webp", content.tobytes())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
