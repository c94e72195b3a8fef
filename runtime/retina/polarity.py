"""Whether vessels are darker than the retina, as in a photograph, or brighter, as in a negative."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.green import SmallGreen, eroded
from retinagan.runtime.retina.pieces import Gray

_LINE = 11
_GROUND = 7
_DIRECTIONS = 8
_SHARE = 0.05
_FAINT = 0.05
"""Contrast in local standard deviations below which lines are noise."""


def polarity(small: SmallGreen) -> float:
    """Compare dark lines with bright ones in the green channel.

    Lines in eight directions are compared with the local mean, in units of the local standard deviation. The
    strongest 5 % of the dark lines are the vessels of a photograph, those of the bright lines the vessels of
    a negative or an angiogram.

    Returns
    -------
    float
        Binary logarithm of dark over bright: above 0 if vessels are dark, below 0 if they are bright, and 0
        if the retina is too small to tell.
    """
    core = eroded(small.inside, _LINE + 4) > 0
    kept = round(_SHARE * np.count_nonzero(core))
    if kept == 0:
        return 0.0
    bright, dark = strongest_lines(small.green)
    strongest = [float(np.partition(lines[core], -kept)[-kept:].mean()) for lines in (dark, bright)]
    return float(np.log2((max(strongest[0], 0.0) + _FAINT) / (max(strongest[1], 0.0) + _FAINT)))


def strongest_lines(green: Gray) -> tuple[Gray, Gray]:
    """Return how strong the strongest bright and the strongest dark line through each pixel are.

    Parameters
    ----------
    green : (SIDE, SIDE) float32
        That of a `SmallGreen`.

    Returns
    -------
    bright, dark : (SIDE, SIDE) float32
        The mean along the line, in local standard deviations above or below the local mean.
    """
    return _extreme_means(_standardised(green))


def _standardised(green: Gray) -> Gray:
    """Return each level's distance from the local mean in local standard deviations, clipped to 2."""
    detail = green - cv2.blur(green, (_GROUND, _GROUND))
    wide = (4 * _GROUND + 1, 4 * _GROUND + 1)
    deviation = np.sqrt(np.maximum(cv2.blur(detail * detail, wide), 0)) + 2  # 2 levels: noise is no detail
    return np.asarray(np.clip(detail / deviation, -2, 2), np.float32)


def _extreme_means(detail: Gray) -> tuple[Gray, Gray]:
    """Return the largest and the negative smallest mean along a line through each pixel."""
    bright = np.full(detail.shape, -np.inf, np.float32)
    dark = np.full(detail.shape, -np.inf, np.float32)
    middle = _LINE // 2
    for angle in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        reach = np.rint(middle * np.array([np.cos(angle), np.sin(angle)])).astype(int)
        line = np.zeros((_LINE, _LINE), np.float32)
        ends = [tuple(int(value) for value in middle + sign * reach) for sign in (-1, 1)]
        cv2.line(line, ends[0], ends[1], 1.0)
        mean = _mean_along(detail, np.argwhere(line > 0))
        np.maximum(bright, mean, out=bright)
        np.maximum(dark, -mean, out=dark)
    return bright, dark


def _mean_along(detail: Gray, places: NDArray[np.intp]) -> Gray:
    """Return each pixel's mean over the places (row, column) of a window of `_LINE` pixels round it.

    Summing the line's few pixels is faster than filtering with the whole window.
    """
    middle = _LINE // 2
    padded = cv2.copyMakeBorder(detail, middle, middle, middle, middle, cv2.BORDER_REFLECT_101)
    height, width = detail.shape
    total = np.zeros(detail.shape, np.float32)
    for row, column in places:
        total += padded[row : row + height, column : column + width]
    return np.asarray(total / len(places), np.float32)
