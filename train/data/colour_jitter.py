"""Colours changed at random before equalization, as cameras and light do.

All functions use numpy and OpenCV on 8-bit pixels and draw from the generator they are given, so that a seed
determines the result in any process.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import OptionError

Pixels = NDArray[np.float32]
"""(S, S, 3) RGB in [0, 1]."""


@dataclass(frozen=True)
class ColourJitter:
    """How much the colours of a training image vary before equalization.

    Parameters
    ----------
    probability : float
        Probability of each kind of change, independent of the others.
    brightness, contrast, saturation : float
        Factors drawn from [1 - value, 1 + value].
    shift : float
        Added to each channel independently, drawn from [-value, value] of the full range.
    gamma : (float, float)
        Range of the exponent.
    noise : float
        Standard deviation of Gaussian noise, of the full range.
    blur : float
        Largest sigma of a Gaussian blur, in pixels at working size.
    illumination : float
        Largest brightness that a slope across the image and a round spot add or subtract, of the full range.
    jpeg : float
        Lowest quality of a JPEG compression, up to 100; 100 turns it off.
    """

    probability: float = 0.5
    brightness: float = 0.25
    contrast: float = 0.3
    saturation: float = 0.3
    shift: float = 0.06
    gamma: tuple[float, float] = (0.65, 1.55)
    noise: float = 0.015
    blur: float = 1.0
    illumination: float = 0.2
    jpeg: float = 40.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "gamma", (float(self.gamma[0]), float(self.gamma[1])))

    def scaled(self, factor: float) -> ColourJitter:
        """Return a jitter of `factor` times the strength, with the same probability; 0 changes nothing.

        Raises
        ------
        OptionError
            If the factor is not in [0, 3].
        """
        if not 0.0 <= factor <= 3.0:
            raise OptionError(f"colour jitter {factor:g}: expected 0 (none) to 3 times the usual strength")
        if factor == 1.0:
            return self
        amounts = ("brightness", "contrast", "saturation", "shift", "noise", "blur", "illumination")
        return dataclasses.replace(
            self,
            **{name: factor * getattr(self, name) for name in amounts},
            gamma=(self.gamma[0] ** factor, self.gamma[1] ** factor),
            jpeg=max(100.0 - factor * (100.0 - self.jpeg), 5.0),
        )


def jitter_colours(
    image: NDArray[np.uint8], jitter: ColourJitter, random: np.random.Generator
) -> NDArray[np.uint8]:
    """Change the colours of one image at random.

    Parameters
    ----------
    image : (S, S, 3) uint8
        RGB.
    jitter : ColourJitter
        Strength and probability of the changes.
    random : numpy.random.Generator
        Generator to draw from.

    Returns
    -------
    (S, S, 3) uint8
        A new array, or the image itself if nothing changed.
    """
    pixels = image.astype(np.float32) / np.float32(255.0)
    changed = _linear(pixels, jitter, random)
    if _happens(jitter.probability, random):
        exponent = float(random.uniform(*jitter.gamma))
        changed = np.asarray(cv2.pow(np.clip(changed, 0.0, 1.0), exponent), np.float32)
    changed = _illuminated(changed, jitter, random)
    if _happens(jitter.probability / 2, random):
        sigma = float(random.uniform(0.1, max(jitter.blur, 0.1)))
        changed = np.asarray(cv2.GaussianBlur(changed, (5, 5), sigma), np.float32)
    if _happens(jitter.probability, random):
        changed = changed + np.float32(jitter.noise) * random.standard_normal(changed.shape, np.float32)
    result = image if changed is pixels else np.rint(np.clip(changed, 0.0, 1.0) * 255.0).astype(np.uint8)
    if jitter.jpeg < 100.0 and _happens(jitter.probability / 2, random):
        result = _compressed(result, round(random.uniform(jitter.jpeg, 100.0)))
    return result


def _happens(probability: float, random: np.random.Generator) -> bool:
    return bool(random.random() < probability)


_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # luma of ITU-R BT.601


def _linear(pixels: Pixels, jitter: ColourJitter, random: np.random.Generator) -> Pixels:
    """Change brightness, saturation, contrast and each channel's level, by one 3x4 matrix."""
    matrix = np.eye(3, 4, dtype=np.float32)
    if _happens(jitter.probability, random):
        brightness, contrast, saturation = (
            np.float32(random.uniform(1.0 - value, 1.0 + value))
            for value in (jitter.brightness, jitter.contrast, jitter.saturation)
        )
        grey = np.tile(_GREY, (3, 1))
        matrix[:, :3] = brightness * contrast * (saturation * np.eye(3) + (1.0 - saturation) * grey)
        mean = np.float32(np.dot(cv2.mean(pixels)[:3], _GREY))
        matrix[:, 3] = (1.0 - contrast) * brightness * mean
    if _happens(jitter.probability, random):
        matrix[:, 3] += random.uniform(-jitter.shift, jitter.shift, 3).astype(np.float32)
    if np.array_equal(matrix, np.eye(3, 4)):
        return pixels
    return np.asarray(cv2.transform(pixels, matrix), np.float32)


def _illuminated(pixels: Pixels, jitter: ColourJitter, random: np.random.Generator) -> Pixels:
    """Add or subtract light along a slope across the image, and in a round spot."""
    light: NDArray[np.float32] | None = None
    line = np.linspace(-1.0, 1.0, len(pixels), dtype=np.float32)
    if _happens(jitter.probability / 2, random):
        gain, angle = random.uniform(-1.0, 1.0) * jitter.illumination, random.uniform(0.0, 2.0 * math.pi)
        across = np.float32(math.cos(angle)) * line + np.float32(1.0)
        down = np.float32(math.sin(angle)) * line
        light = np.float32(gain / 2.0) * (across[None, :] + down[:, None])
    if _happens(jitter.probability / 2, random):
        gain, sigma = random.uniform(-1.0, 1.0) * jitter.illumination, random.uniform(0.4, 2.0)
        x, y = random.uniform(-1.0, 1.0, 2)
        across, down = (np.exp(-0.5 * ((line - place) / sigma) ** 2) for place in (x, y))
        spot = (np.float32(gain) * down[:, None] * across[None, :]).astype(np.float32)
        light = spot if light is None else light + spot
    return pixels if light is None else pixels + light[..., None]


def _compressed(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """Compress an image as JPEG and read it again."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    read = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), np.uint8)
