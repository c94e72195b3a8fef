"""The square around a retina, as the doubts about a picture see it."""

import numpy as np

from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.crop import square_crop


def square_of(image: np.ndarray, retina: Retina, side: int = 608) -> tuple[np.ndarray, np.ndarray]:
    """Return (side, side, 3) uint8 and the ROI (side, side) bool of an image at a retina's place."""
    crop = square_crop(retina.disc, retina.mask.shape, side)
    return crop.cut(image), crop.cut_mask(retina.mask)
