"""Refuse images that cannot show a retina; accept doubtful ones.

An image is refused if it is black, uniform or white noise. If no disc was found, so that the retina may fill
the frame, it is also refused if its bright region is tiny, if most of it is white or has one pale colour (a
page, a drawing), or if most of it is blue, green or white (a landscape). Grey images, images with one
channel, and images without blue (two-colour laser cameras) pass the colour test.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import NoRetinaError

_EXPECTED = "expected a fundus image: a bright retina, with or without a dark margin"


def refuse_empty(image: NDArray[np.uint8], signal: NDArray[np.float32]) -> None:
    """Raise NoRetinaError if the image is black, uniform or noise.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    signal : (h, w) float32
        Its brightest channel, denoised, at any size; 0 to 255.
    """
    darkest, brightest = (float(level) for level in np.percentile(signal[::2, ::2], [1, 99]))
    if brightest < 10:
        raise NoRetinaError(f"the image is black (99 % of it is at most {brightest:.0f} of 255); {_EXPECTED}")
    if brightest - darkest < 3 and float(signal.max()) - float(signal.min()) < 10:
        raise NoRetinaError(f"the image is uniform (grey level {brightest:.0f} of 255 all over); {_EXPECTED}")
    step = max(1, min(image.shape[:2]) // 512)
    sample = np.ascontiguousarray(image[::step, ::step])
    blocks = cv2.resize(sample, (sample.shape[1] // 8, sample.shape[0] // 8), interpolation=cv2.INTER_AREA)
    # the mean of n pixels of white noise varies n times less than each; in any picture hardly less
    if _variance(blocks) * (sample.size / blocks.size) < 3 * _variance(sample):
        raise NoRetinaError(f"the image is noise (neighbouring pixels have nothing in common); {_EXPECTED}")


def _variance(image: NDArray[Any]) -> float:
    _, deviation = cv2.meanStdDev(image)
    return float((deviation**2).sum())


def refuse_implausible(image: NDArray[np.uint8], region: NDArray[np.bool_]) -> None:
    """Raise NoRetinaError if an image without a disc cannot be a retina that fills the frame.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    region : (H, W) bool
        Its bright region.
    """
    share = float(region.mean())
    if share < 0.05:
        raise NoRetinaError(f"the largest bright region fills {share:.1%} of the image; {_EXPECTED}")
    pixels: NDArray[Any] = image[region].astype(np.int16)
    paper = [int(np.bincount(channel).argmax()) for channel in pixels.T]
    pale = max(paper) >= 170 and min(paper) >= 0.6 * max(paper)
    flat = float((np.abs(pixels - paper) <= 1).all(axis=1).mean()) if pale else 0.0
    white = pixels.min(axis=1) >= 230
    if flat > 0.6 or white.mean() > 0.5:
        raise NoRetinaError(
            f"the image shows no disc and {max(flat, white.mean()):.0%} of it is white or has one pale "
            f"colour, as in a page or drawing; {_EXPECTED}"
        )
    red, green, blue = pixels.T
    cold = (np.maximum(green, blue) > red + 10) & (blue > 0.2 * green)
    foreign = float((cold | white).mean())
    means = np.sort(pixels.mean(axis=0))
    if foreign > 0.5 and means[1] > 0.1 * means[2]:
        raise NoRetinaError(
            f"the image shows no disc and {foreign:.0%} of it is blue, green or white; {_EXPECTED}"
        )
