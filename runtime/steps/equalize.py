"""Equalize a cropped fundus image as the model's spec says."""

import threading
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.ace_ext import Workspace, ace
from retinagan.runtime.model.parameters import Preprocessing

_Method = Callable[[NDArray[np.uint8], NDArray[np.bool_], Preprocessing], NDArray[np.uint8]]


def equalize(image: NDArray[np.uint8], roi: NDArray[np.bool_], options: Preprocessing) -> NDArray[np.uint8]:
    """Equalize an image inside the retina.

    Parameters
    ----------
    image : (S, S, 3) uint8 array
        RGB image.
    roi : (S, S) bool array
        True inside the retina; for "ace", the Subset of the equation.
    options : Preprocessing
        The method and its parameters.

    Returns
    -------
    (S, S, 3) uint8 array
        The equalized image, 0 outside `roi`; a new array.
    """
    return METHODS[options.method](image, roi, options)


def clahe(
    image: NDArray[np.uint8],
    *,
    clip_limit: float = 2.0,
    tiles: tuple[int, int] = (8, 8),
    mask: NDArray[np.bool_] | None = None,
) -> NDArray[np.uint8]:
    """Equalize each channel of an image with OpenCV's CLAHE, the alternative in table 2 of the paper.

    Parameters
    ----------
    image : (H, W) or (H, W, C) uint8 array
    clip_limit : float
        Largest value of a tile's histogram, relative to its mean.
    tiles : (int, int)
        Number of tiles in a row and in a column.
    mask : (H, W) bool array, optional
        Pixels outside become 0 in the result. CLAHE itself has no mask: they count as 0 in the tiles'
        histograms.

    Returns
    -------
    uint8 array of the image's shape
        A new array.

    References
    ----------
    K. Zuiderveld, "Contrast Limited Adaptive Histogram Equalization", Graphics Gems IV (1994).
    """
    if mask is None:
        mask = np.ones(image.shape[:2], bool)
    method = cv2.createCLAHE(clip_limit, tiles)
    equalized = np.empty_like(image)
    for channel, result in zip(_planes(image), _planes(equalized), strict=True):
        result[...] = np.where(mask, method.apply(np.where(mask, channel, np.uint8(0))), np.uint8(0))
    return equalized


def _planes(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the channels as views of the image."""
    return np.moveaxis(image.reshape(*image.shape[:2], -1), -1, 0)


class _Scratch(threading.local):
    """Memory that a thread reuses from image to image."""

    def __init__(self) -> None:
        self.workspace = Workspace()


_SCRATCH = _Scratch()


def _ace(image: NDArray[np.uint8], roi: NDArray[np.bool_], options: Preprocessing) -> NDArray[np.uint8]:
    equalized: NDArray[np.uint8] = ace(image, alpha=options.alpha, mask=roi, workspace=_SCRATCH.workspace)
    return equalized


def _clahe(image: NDArray[np.uint8], roi: NDArray[np.bool_], options: Preprocessing) -> NDArray[np.uint8]:
    return clahe(image, mask=roi)


def _unchanged(image: NDArray[np.uint8], roi: NDArray[np.bool_], options: Preprocessing) -> NDArray[np.uint8]:
    return np.where(roi[..., None], image, np.uint8(0))


METHODS: dict[str, _Method] = {"ace": _ace, "clahe": _clahe, "none": _unchanged}
"""Equalization methods by their name in a spec."""
