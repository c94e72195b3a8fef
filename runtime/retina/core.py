"""The middle of the retina at a size at which neighbouring pixels are compared, whatever the camera."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.green import eroded
from retinagan.runtime.retina.pieces import Mask

_LARGEST_SIDE = 608
_RIM = 25


def core_of(square: NDArray[np.uint8], roi: Mask) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a square of at most 608 pixels, and the retina in it without a band along its rim.

    Parameters
    ----------
    square : (S, S, 3) uint8
        RGB, the square around the retina before equalization; larger ones are shrunk.
    roi : (S, S) bool
        True inside the retina.

    Returns
    -------
    square : (T, T, 3) uint8
        RGB.
    core : (T, T) uint8
        1 inside, 0 elsewhere.
    """
    if len(roi) > _LARGEST_SIDE:
        size = (_LARGEST_SIDE, _LARGEST_SIDE)
        square = np.asarray(cv2.resize(square, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        roi = cv2.resize(roi.view(np.uint8), size, interpolation=cv2.INTER_NEAREST).view(np.bool_)
    return square, eroded(roi.view(np.uint8), _RIM)
