"""The rim of the retina: the border found is halfway down the step to the dark; experts draw to its foot."""

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.crop import SquareCrop

_WIDTH = 0.004
"""Share of the retina's radius by which the experts' fields of view on DRIVE are wider."""


def with_rim(retina: Retina, crop: SquareCrop) -> NDArray[np.bool_]:
    """Return the retina's mask, widened by its rim inside the square, which limits the map.

    Returns
    -------
    (H, W) bool
        A new array. A retina with a radius below 125 pixels has no rim, which would be under half a pixel.
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
    """Extend a map over the rim, which the network does not see, by the values beside it in the retina.

    Parameters
    ----------
    probability : (S, S) float32
        The map of the working square.
    roi : (S, S) bool
        True inside the retina.
    retina, crop
        The retina in the frame, and the square.

    Returns
    -------
    (S, S) float32
        Unchanged inside `roi`. On the rim and one pixel beyond, which resizing blends in, the mean of nearby
        values inside; 0 further out.
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
