"""Values of three samples a pixel become RGB, whatever a wrong tag says."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import ImageError
from retinagan.runtime.warnings import ImageWarning

RGB = ("RGB", "YBR_ICT", "YBR_RCT")
"""Photometric interpretations whose values are RGB once they are decompressed."""

YBR = ("YBR_FULL", "YBR_FULL_422")
"""Those of luminance and chrominance."""

_STEP = 4  # every fourth row and column is looked at
_DARK, _SHARE = 16, 0.02  # the first sample of a dark pixel, and the share of such pixels that is enough
_NO_COLOUR, _NEAR = 128, 8  # chrominance of black, and how near to it is near
_LOW = 40  # chrominance that no dark pixel has: its green would be far from dark


def in_rgb(array: NDArray[Any], photometric: str) -> tuple[NDArray[Any], tuple[ImageWarning, ...]]:
    """Return an image as RGB.

    The tag is often wrong: programs change the values and not the tag, or the reverse. Black tells: it is
    (0, 0, 0) in RGB, and (0, 128, 128) in luminance and chrominance. Where this contradicts the tag, it
    counts, with a warning.

    Parameters
    ----------
    array : (H, W, 3) array
        Values as stored, not subsampled.
    photometric : str
        What the tag says: one of `RGB`, `YBR`, or empty for a tag that cannot be true.

    Raises
    ------
    ImageError
        If the values have more than 8 bits and are not RGB, or the tag cannot be true and the image holds too
        little black to tell.
    """
    tagged = "RGB" if photometric in RGB else "YBR_FULL" if photometric in YBR else ""
    seen = _seen(array) if array.dtype.itemsize == 1 else ""
    if not (seen or tagged):
        raise ImageError(
            "the DICOM image's Photometric Interpretation cannot be true (YBR_FULL_422, but no colours are "
            "left out); export the image in RGB"
        )
    warnings: tuple[ImageWarning, ...] = ()
    if seen and seen != tagged:
        message = f"the file's Photometric Interpretation is wrong; its colours were read as {seen}"
        warnings = (ImageWarning("colours-guessed", message),)
    if (seen or tagged) == "RGB":
        return array, warnings
    if array.dtype.itemsize > 1:
        raise ImageError(f"the DICOM image is {photometric} of more than 8 bits; export the image in RGB")
    return np.asarray(cv2.cvtColor(array[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB)), warnings


def _seen(array: NDArray[np.uint8]) -> str:
    """Return what black shows the values to be, ``RGB`` or ``YBR_FULL``; empty if it shows neither."""
    sample = array[::_STEP, ::_STEP].reshape(-1, 3)
    dark = sample[sample[:, 0] <= _DARK]
    if len(dark) < _SHARE * len(sample):
        return ""
    others = np.median(dark[:, 1:], axis=0)
    if (abs(others - _NO_COLOUR) <= _NEAR).all():
        return "YBR_FULL"
    return "RGB" if (others <= _LOW).all() else ""
