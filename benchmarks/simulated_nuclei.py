"""Fields of nuclei as bad microscopes give them, with the true labels: what the splitter's constants were chosen on."""

import cv2
import numpy as np

DIAMETERS = (14, 24, 45, 90)
"""Of a nucleus in pixels, one after the other over the fields."""

_SIDE = 9.0  # diameters


def simulated_nuclei(index: int) -> tuple[np.ndarray, np.ndarray]:
    """A field as uint16 `(height, width, 1)`, and its labels.

    Brightness, density, touching neighbours, chromatin, blur, uneven light, haze, camera offset, photon noise and hot
    pixels differ from field to field. What is far out of focus, and debris less than 0.4 diameters wide, has no label.
    """
    rng = np.random.default_rng([0xCE11, index])
    diameter = DIAMETERS[index % len(DIAMETERS)]
    shape = (round(_SIDE * diameter), round(1.2 * _SIDE * diameter))
    labels, light = np.zeros(shape, np.int32), np.zeros(shape, np.float32)
    spacing = rng.uniform(0.78, 1.3)
    centers: list[np.ndarray] = []
    for _ in range(rng.integers(150, 400)):
        center = rng.uniform(0, 1, 2) * shape[::-1]
        if all(np.linalg.norm(center - other) > spacing * diameter for other in centers):
            centers.append(center)
    spread = rng.uniform(0.15, 0.5)
    for number, center in enumerate(centers[: rng.integers(15, 60)], start=1):
        mask = np.zeros(shape, np.uint8)
        cv2.fillPoly(mask, [_outline(rng, center, diameter)], 1)
        mask[labels > 0] = 0
        labels[mask > 0] = number
        light += mask * np.float32(np.exp(spread * rng.standard_normal()))
    grain = _noise(rng, shape, 0.04 * diameter) * rng.uniform(0.05, 0.3) + _noise(rng, shape, 0.15 * diameter) * 0.1
    light *= np.clip(1 + grain, 0.2, None)
    sharp = cv2.GaussianBlur(light, (0, 0), max(0.5, rng.uniform(0.015, 0.05) * diameter))
    sharp += rng.uniform(0, 0.25) * cv2.GaussianBlur(light, (0, 0), 0.4 * diameter)

    lost = np.zeros(shape, np.float32)
    for _ in range(rng.integers(0, 5)):
        mask = np.zeros(shape, np.float32)
        cv2.fillPoly(mask, [_outline(rng, rng.uniform(0, 1, 2) * shape[::-1], diameter)], rng.uniform(0.3, 1.0))
        lost += cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.25, 0.5) * diameter)
    for _ in range(rng.integers(0, 8)):
        center = tuple(np.round(rng.uniform(0, 1, 2) * shape[::-1]).astype(int).tolist())
        cv2.circle(lost, center, round(rng.uniform(0.05, 0.18) * diameter), rng.uniform(0.3, 2.0), -1)
    haze = cv2.resize(rng.random((4, 5), np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    picture = sharp + cv2.GaussianBlur(lost, (0, 0), 0.04 * diameter) + rng.choice([0.0, 0.5, 2.0]) * haze
    across = np.linspace(0, 1, shape[1]) * rng.choice([-1, 1])
    picture *= 1 - rng.choice([0.0, 0.3, 0.6]) * (across - across.min())
    photons = rng.choice([20, 60, 250])
    picture = rng.poisson(np.clip(picture, 0, None) * photons) * 10.0 + rng.choice([0, 100, 2000])
    picture += rng.normal(0, 15, shape)
    picture[rng.random(shape) < 2e-4] = 65535
    return np.clip(picture, 0, 65535).astype(np.uint16)[..., None], labels


def _outline(rng: np.random.Generator, center: np.ndarray, diameter: float) -> np.ndarray:
    theta = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    aspect = np.exp(rng.uniform(0, 0.3))
    radius = diameter / 2 * np.exp(0.12 * rng.standard_normal())
    wobble = 1 + sum(rng.normal(0, 0.05) * np.cos(order * theta + rng.uniform(0, 6.3)) for order in (2, 3, 4))
    points = radius * wobble * np.stack([aspect * np.cos(theta), np.sin(theta) / aspect])
    turn = rng.uniform(0, np.pi)
    x, y = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ points + center[:, None]
    return np.round(np.stack([x, y], -1)).astype(np.int32)


def _noise(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.standard_normal(shape, np.float32), (0, 0), max(0.5, scale))
    return noise / noise.std()
