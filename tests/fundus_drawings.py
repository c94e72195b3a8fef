"""Small drawn fundus images with the exact retina mask, for tests of what finds the retina."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Look:
    """How a drawn fundus looks; levels are 8-bit grey levels."""

    color: tuple[float, float, float] = (190.0, 100.0, 50.0)
    margin: tuple[float, float, float] = (4.0, 4.0, 4.0)
    noise: float = 2.0
    vignette: float = 0.3  # share of the light lost at the rim
    tilt: float = 0.0  # the same from left to right
    softness: float = 0.8  # blur of the rim, in pixels
    seed: int = 0


def disc_mask(height, width, x, y, radius):
    rows, columns = np.mgrid[:height, :width]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def draw_fundus(height, width, disc, look=Look(), hidden=None):
    """Return (image (H, W, 3) uint8 RGB, mask (H, W) bool).

    `disc` is (x, y, radius); `hidden` a bool mask of retina that the camera blacks out (notches, cuts).
    """
    x, y, radius = disc
    mask = disc_mask(height, width, x, y, radius)
    if hidden is not None:
        mask &= ~hidden
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(columns - x, rows - y) / radius
    light = 1 - look.vignette * np.clip(distance, 0, 1.2) ** 3 - look.tilt * ((columns - x) / radius + 1) / 2
    light *= 1 - 0.35 * np.exp(-(((columns - x) / radius) ** 2 + ((rows - y) / radius) ** 2) / 0.03)  # macula
    retina = np.clip(light, 0, None)[:, :, None] * np.array(look.color, np.float32)
    retina += (
        110
        * np.exp(-(((columns - x - 0.5 * radius) / radius) ** 2 + ((rows - y) / radius) ** 2) / 0.01)[
            :, :, None
        ]
    )
    vessels = np.zeros((height, width), np.uint8)
    start = (x + 0.5 * radius, y)
    for angle in (0.6, 1.9, 2.6, 3.7, 4.4, 5.7):
        bend = np.linspace(0, 1.4 * radius, 30)
        direction = angle + 0.5 * np.sin(bend / radius * 2)
        points = np.stack([start[0] + bend * np.cos(direction), start[1] + bend * np.sin(direction)], axis=1)
        width_pixels = max(1, round(radius / 35))
        cv2.polylines(vessels, [np.round(points).astype(np.int32)], False, 255, width_pixels, cv2.LINE_AA)
    retina *= 1 - 0.45 * (vessels.astype(np.float32) / 255)[:, :, None]
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), look.softness)[:, :, None]
    image = soft * retina + (1 - soft) * np.array(look.margin, np.float32)
    image += np.random.default_rng(look.seed).normal(0, look.noise, image.shape)
    return np.clip(np.round(image), 0, 255).astype(np.uint8), mask


def overlap(found, truth):
    """Return intersection over union of two bool masks."""
    return (found & truth).sum() / (found | truth).sum()
