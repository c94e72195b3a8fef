"""Letters, lines and arrows that a program has drawn onto the retina."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.fine import FineSquare

SMALLEST_SIDE = 400
"""Side in pixels of the square in the frame below which vessels can be as sharp as drawn strokes."""

_STEP, _STROKE = 65, 24
"""Grey levels between neighbouring pixels, and the number of pixels of such steps. Vessels and bright lesions
reach 60 in few pixels."""

_FAINT_STEP, _FAINT_STROKE = 30, 150
"""The same in red and in blue, where vessels are faint. Photographs have up to 58 such pixels."""

_COLOURFUL = 40.0
"""Mean of red above that of blue. Photographs have 72 or more; in grey ones vessels show in all channels."""

_NOISE = 8
"""Multiple of the median step, so that a noisy picture has no strokes."""
_LEAST, _LONGEST_DOT = 12, 5
"""Pixels of a piece of a stroke's edge, and the extent of what may be a hot pixel."""


def is_written_on(fine: FineSquare) -> bool:
    """Whether strokes are drawn on the retina: edges from pixel to pixel that no camera's optics give.

    Strokes that let the retina shine through, as of a watermark, change all channels. Vessels hardly change
    red and blue, so that less tells there.
    """
    steps = _steps(fine.square, fine.core)
    channels = [np.asarray(channel, np.uint8) for channel in cv2.split(steps)]
    largest = np.asarray(cv2.max(cv2.max(channels[0], channels[1]), channels[2]), np.uint8)
    if _edge_pixels(largest, fine.core, _STEP) >= _STROKE:
        return True
    red, _, blue, _ = cv2.mean(fine.square, mask=fine.core)
    if red - blue < _COLOURFUL:
        return False
    faint = (_edge_pixels(channel, fine.core, _FAINT_STEP) for channel in (channels[0], channels[2]))
    return any(pixels >= _FAINT_STROKE for pixels in faint)


def _edge_pixels(steps: NDArray[np.uint8], core: NDArray[np.uint8], least: int) -> int:
    """Count the pixels of steps above a level that lie together as along an edge."""
    if np.count_nonzero(steps > least) < _LEAST:
        return 0
    bound = max(least, _NOISE * float(np.median(steps[core > 0])))
    steep = (steps > bound).view(np.uint8)
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
