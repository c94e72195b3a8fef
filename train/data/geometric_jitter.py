"""Patches cut at random from an equalized image: turned, flipped and scaled, as eyes differ.

All functions use numpy and OpenCV on 8-bit pixels and draw from the generator they are given, so that a seed
determines the result in any process.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import OptionError

Box = tuple[int, int, int, int]
"""Top, left, bottom, right; the last two exclusive."""


@dataclass(frozen=True)
class GeometricJitter:
    """How patches are cut from an equalized image.

    Parameters
    ----------
    warped : float
        Share of the patches that are rotated by any angle and scaled. The others are cut without
        interpolation and only flipped and turned by quarters: interpolation blurs, and a net trained on
        nothing but blurred patches ranks the pixels of sharp ones worse.
    scale : (float, float)
        Range of the magnification of warped patches.
    """

    warped: float = 0.4
    scale: tuple[float, float] = (0.75, 1.6)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", (float(self.scale[0]), float(self.scale[1])))
        if not 0.0 <= self.warped <= 1.0:
            raise OptionError(f"share of warped patches {self.warped:g}: expected 0 to 1")
        if not 0.1 <= self.scale[0] <= self.scale[1] <= 10.0:
            raise OptionError(
                f"scale {self.scale[0]:g},{self.scale[1]:g}: expected the smallest and the largest "
                "magnification, 0.1 to 10, such as 0.75,1.6"
            )


@dataclass(frozen=True)
class Layers:
    """An equalized image with its maps, or a patch of one.

    Attributes
    ----------
    image : (H, W, 3) uint8
        RGB, 0 outside the ROI.
    roi : (H, W) uint8
        255 inside the retina, 0 outside.
    truth : (H, W) uint8
        Share of vessel in each pixel, 0 to 255; 0 outside the ROI.
    """

    image: NDArray[np.uint8]
    roi: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def cut_patch(
    layers: Layers,
    box: Box,
    side: int,
    jitter: GeometricJitter,
    random: np.random.Generator,
) -> Layers:
    """Cut one randomly placed patch, flipped and turned or warped.

    Parameters
    ----------
    layers : Layers
        Layers of a square image; a larger patch is 0 beyond it.
    box : Box
        Round the ROI.
    side : int
        Height and width of the patch.
    jitter : GeometricJitter
        Probability and strength of warps.
    random : numpy.random.Generator
        Generator to draw from.
    """
    for _ in range(20):
        warped = random.random() < jitter.warped
        patch = _warp(layers, box, side, jitter, random) if warped else window(layers, box, side, random)
        if patch.roi.any():
            break  # almost always the first: only corners of the box miss the disc
    return flip_and_turn(patch, random)


def flip_and_turn(layers: Layers, random: np.random.Generator) -> Layers:
    """Flip and turn a square by quarters at random."""
    flipped, quarters = random.random() < 0.5, int(random.integers(4))

    def turned(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.rot90(values[:, ::-1] if flipped else values, quarters)

    return Layers(turned(layers.image), turned(layers.roi), turned(layers.truth))


def window(layers: Layers, box: Box, side: int, random: np.random.Generator) -> Layers:
    """Cut a window at random, inside the box round the ROI if it fits; 0 beyond the image."""
    size = len(layers.roi)
    corner = []
    for low, high in ((box[0], box[2]), (box[1], box[3])):
        last = max(high - side, low)
        corner.append(max(min(int(random.integers(low, last + 1)), size - side), 0))
    rows, columns = (slice(start, start + side) for start in corner)
    missing = max(side - size, 0)

    def cut(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
        values = values[rows, columns]
        return np.pad(values, [(0, missing)] * 2 + [(0, 0)] * (values.ndim - 2)) if missing else values

    return Layers(cut(layers.image), cut(layers.roi), cut(layers.truth))


def _warp(
    layers: Layers,
    box: Box,
    side: int,
    jitter: GeometricJitter,
    random: np.random.Generator,
) -> Layers:
    angle = random.uniform(0.0, 2.0 * math.pi)
    low, high = (math.log(value) for value in jitter.scale)
    scale = math.exp(random.uniform(low, high))
    # The patch's centre may lie wherever an unwarped patch's may.
    x, y = (
        start + side / 2.0 + max(stop - start - side, 0) * random.random()
        for start, stop in ((box[1], box[3]), (box[0], box[2]))
    )
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    # Only what the patch shows is blurred and warped.
    reach = math.ceil(side / scale / math.sqrt(2.0)) + 4
    size = len(layers.roi)
    left, top = max(math.floor(x) - reach, 0), max(math.floor(y) - reach, 0)
    rows, columns = slice(top, min(math.ceil(y) + reach, size)), slice(left, min(math.ceil(x) + reach, size))
    x, y, middle = x - left, y - top, (side - 1) / 2.0
    matrix = np.array(
        [[cosine, -sine, middle - cosine * x + sine * y], [sine, cosine, middle - sine * x - cosine * y]]
    )

    def warped(values: NDArray[np.uint8], how: int, soft: bool = True) -> NDArray[np.uint8]:
        values = values[rows, columns]
        if not values.size:
            return np.zeros((side, side, *values.shape[2:]), np.uint8)
        if soft and scale < 0.9:  # a pixel of the patch is the mean of several, as in an image shrunk by area
            sigma = 0.5 * math.sqrt(1.0 / scale**2 - 1.0)
            values = np.asarray(cv2.GaussianBlur(values, (0, 0), sigma), np.uint8)
        return np.asarray(cv2.warpAffine(values, matrix, (side, side), flags=how), np.uint8)

    # Cubic keeps thin vessels' contrast; the maps stay linear so that they do not overshoot.
    roi = np.where(warped(layers.roi, cv2.INTER_LINEAR, soft=False) > 252, np.uint8(255), np.uint8(0))
    image, truth = warped(layers.image, cv2.INTER_CUBIC), warped(layers.truth, cv2.INTER_LINEAR)
    return Layers(cv2.bitwise_and(image, image, mask=roi), roi, cv2.bitwise_and(truth, roi))  # type: ignore[arg-type]
