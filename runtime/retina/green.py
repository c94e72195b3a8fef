"""The green channel at a small size, which shows a picture's light and its larger vessels at little cost."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.pieces import Gray, Mask

SIDE = 152
"""Side of the small square, in pixels."""


class SmallGreen(NamedTuple):
    """The green channel and the ROI of a square at the side `SIDE`.

    Attributes
    ----------
    green : (SIDE, SIDE) float32
        0 to 255.
    inside : (SIDE, SIDE) uint8
        1 inside the retina, 0 elsewhere.
    """

    green: Gray
    inside: NDArray[np.uint8]


def small_green(square: NDArray[np.uint8], roi: Mask) -> SmallGreen:
    """Shrink the green channel and the ROI of a square.

    Parameters
    ----------
    square : (S, S, 3) uint8
        RGB, the square around the retina before equalization.
    roi : (S, S) bool
        True inside the retina.
    """
    size = (SIDE, SIDE)
    # halving by area is exact and fast; down to there, linear interpolation is five times as fast as by area
    twice = cv2.resize(cv2.extractChannel(square, 1), (2 * SIDE, 2 * SIDE), interpolation=cv2.INTER_LINEAR)
    green = cv2.resize(twice, size, interpolation=cv2.INTER_AREA)
    inside = cv2.resize(roi.view(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return SmallGreen(green.astype(np.float32), np.asarray(inside, np.uint8))


def eroded(mask: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Erode a mask of 0 and 1 by a square of `size` pixels; what lies beyond the frame's edge counts as 0."""
    square = np.ones((size, size), np.uint8)  # ten times as fast as a disc
    return np.asarray(cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0), np.uint8)


def local_mean(values: Gray, mask: NDArray[np.uint8] | Mask, size: int) -> Gray:
    """Return each pixel's mean over those of a mask, in a window of `size` pixels; 0 where there are none."""
    weight, window = mask.astype(np.float32), (size, size)
    return np.asarray(
        cv2.blur(values * weight, window) / np.maximum(cv2.blur(weight, window), 1e-3), np.float32
    )
