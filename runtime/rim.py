"""The rim of the retina: its border lies at half the step to the dark, experts draw to the step's foot."""

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.roi import Retina

_WIDTH = 0.004
"""Of the retina's radius; on DRIVE the experts' fields of view are wider by this share."""

_NEIGHBOURHOOD = (5, 5)


def with_rim(retina: Retina) -> NDArray[np.bool_]:
    """Give the retina's mask, wider by its rim and by a pixel at least.

    Returns
    -------
    (H, W) bool
        A new array.
    """
    width = max(1, round(_WIDTH * retina.disc.radius))
    neighbourhood = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return cv2.dilate(retina.mask.view(np.uint8), neighbourhood).view(np.bool_)


def spread_over_rim(probability: NDArray[np.float32], roi: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Give pixels just outside the retina, of which the network knows nothing, what lies beside them inside.

    Parameters
    ----------
    probability : (S, S) float32
        The map of the working square.
    roi : (S, S) bool
        True inside the retina.

    Returns
    -------
    (S, S) float32
        As it was inside `roi`; the mean of what is inside within two pixels; 0 further out.
    """
    known = np.where(roi, probability, np.float32(0))
    share = cv2.blur(roi.astype(np.float32), _NEIGHBOURHOOD)
    mean = cv2.blur(known, _NEIGHBOURHOOD)
    rim = (share > 0) & ~roi
    known[rim] = mean[rim] / share[rim]
    return known
