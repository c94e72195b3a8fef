"""The rim of the retina: its border lies at half the step to the dark, experts draw to the step's foot."""

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.crop import SquareCrop

_WIDTH = 0.004
"""Of the retina's radius; on DRIVE the experts' fields of view are wider by this share."""


def with_rim(retina: Retina, crop: SquareCrop) -> NDArray[np.bool_]:
    """Give the retina's mask, wider by its rim where that lies in the square, of which alone there is a map.

    Returns
    -------
    (H, W) bool
        A new array. A retina of less than 125 pixels in radius has no rim: it would be under half a pixel.
    """
    width = _width(retina)
    neighbourhood = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    wide = cv2.dilate(retina.mask.view(np.uint8), neighbourhood).view(np.bool_)
    kept: NDArray[np.bool_] = retina.mask.copy()
    kept[crop.in_image] = wide[crop.in_image]
    return kept


def spread_over_rim(
    probability: NDArray[np.float32], roi: NDArray[np.bool_], retina: Retina, crop: SquareCrop
) -> NDArray[np.float32]:
    """Give pixels just outside the retina, of which the network knows nothing, what lies beside them inside.

    Parameters
    ----------
    probability : (S, S) float32
        The map of the working square.
    roi : (S, S) bool
        True inside the retina.
    retina, crop
        Where the retina lies in the frame, and the square.

    Returns
    -------
    (S, S) float32
        As it was inside `roi`; over the rim and the pixel beyond, which resizing blends in, the mean of what
        is inside nearby; 0 further out.
    """
    reach = round(_width(retina) * crop.working_size / crop.side) + 1
    neighbourhood = (2 * reach + 1, 2 * reach + 1)
    spread = np.where(roi, probability, np.float32(0))
    share = cv2.blur(roi.astype(np.float32), neighbourhood)
    mean = cv2.blur(spread, neighbourhood)
    rim = (share > 1e-6) & ~roi  # above what rounding leaves
    spread[rim] = mean[rim] / share[rim]
    return spread


def _width(retina: Retina) -> int:
    return round(_WIDTH * retina.disc.radius)
