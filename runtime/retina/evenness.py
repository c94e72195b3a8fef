"""Whether a picture was filtered before: its brightness evened out, or its local contrast enhanced."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.green import eroded
from retinagan.runtime.retina.pieces import Gray

_GROUND = 31
_RIM = 17

_WITHOUT_GROUND = 0.15
"""Ratio of ground to detail below which a picture has lost its ground. Photographs have 0.55 or more."""

_LITTLE_GROUND, _STRONG_DETAIL = 0.5, 13.0
"""Ratio, and grey levels of detail, of pictures whose local contrast was enhanced."""


def is_filtered(green: Gray, inside: NDArray[np.uint8]) -> bool:
    """Whether the retina shows far more detail in green than differences in brightness over its width.

    Light falls unevenly on every retina. Programs that prepare images for a network subtract the local mean,
    or equalize the contrast locally. Networks for photographs do badly on the result.

    Parameters
    ----------
    green : (SIDE, SIDE) float32
    inside : (SIDE, SIDE) uint8
        As `small_green` returns them.
    """
    core, window = eroded(inside, _RIM), (_GROUND, _GROUND)
    if not core.any():
        return False
    weight = core.astype(np.float32)
    ground = cv2.blur(green * weight, window) / np.maximum(cv2.blur(weight, window), 1e-3)
    large = float(cv2.meanStdDev(ground, mask=core)[1].item())
    fine = float(cv2.meanStdDev(green - ground, mask=core)[1].item())
    return large < _WITHOUT_GROUND * fine or (large < _LITTLE_GROUND * fine and fine > _STRONG_DETAIL)
