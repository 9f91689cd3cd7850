"""From what is stained to what the file holds: optics, detector, 8 bits."""

import cv2
import numpy as np
import numpy.typing as npt

_REFERENCE_PIXEL = 0.32  # micrometres; the photon counts below are those of a pixel this wide

_MIXING = np.array([[0, 1, 0, 2.0], [0.6, 0, 0.4, 1.5], [0.0, 0.3, 0, 0], [2.5, 0.8, 0.8, 0]])  # into row, from column


def take_picture(
    stained: npt.NDArray[np.float32],
    image_size: tuple[int, int],
    pixel: float,
    *,
    exposure: npt.NDArray[np.float64],
    optics: np.random.Generator,
    noise: np.random.Generator,
) -> npt.NDArray[np.uint8]:
    """Images four stains through one microscope.

    Args:
        stained: float32 `(height, width, 4)`, possibly finer than the picture.
        image_size: height and width of the picture.
        pixel: the width of its pixels in micrometres.
        exposure: gain of each channel.
        optics: decides blur, background, bleed-through, illumination and detector settings of this sample.
        noise: decides the noise of every pixel.
    """
    sigma = optics.uniform(0.1, 0.24) / (pixel * image_size[1] / stained.shape[1])
    picture = cv2.GaussianBlur(stained, (0, 0), sigma) if sigma > 0.2 else stained
    if picture.shape[:2] != image_size:
        picture = cv2.resize(picture, image_size[::-1], interpolation=cv2.INTER_AREA)
    haze = cv2.resize(picture, None, fx=0.125, fy=0.125, interpolation=cv2.INTER_AREA)
    haze = cv2.resize(cv2.GaussianBlur(haze, (0, 0), 5.0 / (8 * pixel)), image_size[::-1])
    bleeding = np.eye(4) + _MIXING * optics.gamma(1.0, 0.02, (4, 4))
    out_of_focus = optics.uniform(0.0, 0.12, 4)
    picture = (picture + haze * out_of_focus.astype(np.float32)) * exposure.astype(np.float32)
    picture = cv2.transform(picture, bleeding)
    picture *= _illumination(image_size, optics)[..., None]

    photons = optics.gamma(4.0, 1.0, 4) * np.array([7, 6, 16, 5]) * (pixel / _REFERENCE_PIXEL) ** 2
    background = optics.gamma(1.0, 0.006, 4)
    lit = (optics.random(4) < 0.03) * optics.uniform(0.02, 0.1, 4)  # the black level was set too low
    black = optics.uniform(0.01, 0.03, 4)
    picture += (background + lit).astype(np.float32)
    read_noise = np.float32(0.012 * min(1.0, _REFERENCE_PIXEL / pixel))
    spread = cv2.sqrt(np.maximum(picture, 0) * (1 / photons).astype(np.float32) + read_noise**2)
    picture += spread * noise.standard_normal(picture.shape, np.float32)
    picture -= black.astype(np.float32)
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), np.uint8)


def _illumination(image_size: tuple[int, int], optics: np.random.Generator) -> npt.NDArray[np.float32]:
    y, x = (np.linspace(-1, 1, size, dtype=np.float32) for size in image_size)
    center_y, center_x = optics.normal(0, 0.3, 2)
    fall = optics.uniform(0.0, 0.18)
    return np.asarray(1 - fall * ((y[:, None] - center_y) ** 2 + (x - center_x) ** 2) / 2, np.float32)
