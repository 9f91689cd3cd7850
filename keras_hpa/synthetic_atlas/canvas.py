"""Drawing in micrometres: shapes whose brightness does not depend on the size of a pixel."""

import cv2
import numpy as np
import numpy.typing as npt

SHIFT = 4
"""Fractional bits of OpenCV's coordinates."""

_SMALLEST_RADIUS = 0.75  # pixels

Array = npt.NDArray[np.float32]
Points = npt.NDArray[np.float64]


class Canvas:
    """One grey picture, on which later shapes lie over earlier ones.

    A shape thinner than a pixel is drawn a pixel wide and as much fainter.

    Args:
        shape: height and width in pixels.
        pixel: the width of a pixel in micrometres.
    """

    def __init__(self, shape: tuple[int, int], pixel: float) -> None:
        self.shape = shape
        self.pixel = pixel
        self._picture = np.zeros(shape, np.uint8)

    def fill(self, outlines: Points, values: npt.ArrayLike = 1.0) -> "Canvas":
        """Fills closed outlines of shape `(num, points, 2)` with values from 0 to 1."""
        points = to_pixels(outlines, self.pixel)
        for outline, value in zip(points, self._to_grey(values, len(points)), strict=True):
            cv2.fillPoly(self._picture, [outline], value, cv2.LINE_AA, SHIFT)
        return self

    def lines(self, paths: Points, width: float, values: npt.ArrayLike = 1.0, closed: bool = False) -> "Canvas":
        """Draws paths of shape `(num, points, 2)`, `width` micrometres wide."""
        thickness = max(1, round(width / self.pixel))
        points = to_pixels(paths, self.pixel)
        greys = np.array(self._to_grey(np.asarray(values) * min(1.0, width / self.pixel), len(points)))
        for grey in np.unique(greys[greys > 0]).tolist():
            chosen = list(points[greys == grey])
            cv2.polylines(self._picture, chosen, closed, grey, thickness, cv2.LINE_AA, SHIFT)
        return self

    def dots(self, centers: Points, radii: npt.ArrayLike, values: npt.ArrayLike = 1.0) -> "Canvas":
        """Draws filled circles around `centers` of shape `(num, 2)`; radii in micrometres."""
        wanted = np.broadcast_to(np.asarray(radii, np.float32) / self.pixel, len(centers))
        drawn = np.maximum(wanted, _SMALLEST_RADIUS)
        greys = self._to_grey(np.asarray(values) * (wanted / drawn) ** 2, len(centers))
        radius_bits = np.round(drawn * (1 << SHIFT)).astype(int).tolist()
        points = to_pixels(centers, self.pixel).tolist()
        for center, radius, grey in zip(points, radius_bits, greys, strict=True):
            if grey:
                cv2.circle(self._picture, center, radius, grey, -1, cv2.LINE_AA, SHIFT)
        return self

    def rings(self, centers: Points, radii: npt.ArrayLike, width: float, values: npt.ArrayLike = 1.0) -> "Canvas":
        """Draws hollow circles with a wall `width` micrometres thick."""
        angles = np.linspace(0, 2 * np.pi, 14, endpoint=False)
        circle = np.stack([np.cos(angles), np.sin(angles)], -1)
        reach = np.broadcast_to(np.asarray(radii, np.float32), len(centers))
        return self.lines(centers[:, None] + reach[:, None, None] * circle, width, values, closed=True)

    def picture(self, blur: float = 0.0) -> Array:
        """What was drawn, 0 to 1, blurred by a Gaussian of `blur` micrometres."""
        picture = self._picture.astype(np.float32)
        picture *= 1 / 255
        sigma = blur / self.pixel
        return picture if sigma < 0.2 else np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.float32)

    @staticmethod
    def _to_grey(values: npt.ArrayLike, count: int) -> list[int]:
        grey = np.clip(np.round(np.asarray(values, np.float32) * 255), 0, 255).astype(int)
        return list(np.broadcast_to(grey, count).tolist())


def to_pixels(points: Points, pixel: float) -> npt.NDArray[np.int32]:
    """Micrometres as coordinates of OpenCV, with `SHIFT` fractional bits."""
    scaled = np.clip(points / pixel - 0.5, -8000, 8000)  # pixel centres lie at whole numbers
    return np.round(scaled * (1 << SHIFT)).astype(np.int32)
