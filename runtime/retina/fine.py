"""The square around a retina at a size at which neighbouring pixels are compared, whatever the camera."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.green import eroded
from retinagan.runtime.retina.pieces import Mask

_LARGEST_SIDE = 608
_RIM = 25


class FineSquare(NamedTuple):
    """The square around a retina before equalization; its side T is at most 608 pixels.

    Attributes
    ----------
    square : (T, T, 3) uint8
        RGB.
    roi : (T, T) bool
        True inside the retina.
    core : (T, T) uint8
        1 inside the retina without a band along its rim, 0 elsewhere.
    """

    square: NDArray[np.uint8]
    roi: Mask
    core: NDArray[np.uint8]


def fine_square(square: NDArray[np.uint8], roi: Mask) -> FineSquare:
    """Shrink a square that is larger.

    Parameters
    ----------
    square : (S, S, 3) uint8
        RGB, the square around the retina before equalization.
    roi : (S, S) bool
        True inside the retina.
    """
    if len(roi) > _LARGEST_SIDE:
        size = (_LARGEST_SIDE, _LARGEST_SIDE)
        square = np.asarray(cv2.resize(square, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        roi = cv2.resize(roi.view(np.uint8), size, interpolation=cv2.INTER_NEAREST).view(np.bool_)
    return FineSquare(square, roi, eroded(roi.view(np.uint8), _RIM))
