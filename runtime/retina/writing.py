"""Letters, lines and arrows that a program has drawn onto the retina."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.core import core_of
from retinagan.runtime.retina.pieces import Mask

SMALLEST_SIDE = 400
"""Side in pixels of the square in the frame below which vessels can be as sharp as drawn strokes."""

_STEP = 65
"""Grey levels between neighbouring pixels. Vessels and bright lesions reach 60 in few pixels."""
_NOISE = 8
"""Multiple of the median step, so that a noisy picture has no strokes."""
_LEAST, _LONGEST_DOT = 12, 5
"""Pixels of a piece of a stroke's edge, and the extent of what may be a hot pixel."""


def drawn_pixels(square: NDArray[np.uint8], roi: Mask) -> int:
    """Count the pixels on the edges of drawn strokes: steps from pixel to pixel that no camera's optics give.

    Parameters
    ----------
    square : (S, S, 3) uint8
        RGB, the square around the retina before equalization; larger ones are shrunk.
    roi : (S, S) bool
        True inside the retina. A band along its rim is left out.

    Returns
    -------
    int
        0 in nearly all photographs; at least 50 for a letter.
    """
    square, core = core_of(square, roi)
    steps = _steps(square, core)
    if np.count_nonzero(steps > _STEP) < _LEAST:
        return 0
    largest = steps.max(axis=2)
    bound = max(_STEP, _NOISE * float(np.median(largest[core > 0])))
    steep = (largest > bound).view(np.uint8)
    _, _, pieces, _ = cv2.connectedComponentsWithStats(steep, connectivity=8)
    area, extent = pieces[1:, cv2.CC_STAT_AREA], pieces[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    return int(area[(area >= _LEAST) & (extent.max(axis=1) > _LONGEST_DOT)].sum())


def _steps(square: NDArray[np.uint8], core: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the larger difference of each pixel, in each channel, from its left and upper neighbour.

    0 outside the core.
    """
    steps = np.zeros_like(square)
    steps[:, 1:] = cv2.absdiff(square[:, 1:], square[:, :-1])
    np.maximum(steps[1:], cv2.absdiff(square[1:], square[:-1]), out=steps[1:])
    return np.asarray(cv2.bitwise_and(steps, steps, mask=core), np.uint8)
