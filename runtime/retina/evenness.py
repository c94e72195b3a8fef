"""Whether a picture was filtered before: its brightness evened out, or its local contrast enhanced."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.green import SmallGreen, eroded, local_mean

_GROUND = 31
_RIM = 17

_WITHOUT_GROUND = 0.15
"""Ratio of ground to detail below which a picture has lost its ground. Photographs have 0.55 or more."""

_LITTLE_GROUND, _STRONG_DETAIL = 0.5, 13.0
"""Ratio, and grey levels of detail, of pictures whose local contrast was enhanced."""


def is_filtered(small: SmallGreen) -> bool:
    """Whether the retina shows far more detail in green than differences in brightness over its width.

    Light falls unevenly on every retina. Programs that prepare images for a network subtract the local mean,
    or equalize the contrast locally. Networks for photographs do badly on the result.
    """
    spread = ground_and_detail(small)
    if spread is None:
        return False
    ground, detail = spread
    return ground < _WITHOUT_GROUND * detail or (ground < _LITTLE_GROUND * detail and detail > _STRONG_DETAIL)


class Spread(NamedTuple):
    """Standard deviations in grey levels: of the local mean, and of the difference from it."""

    ground: float
    detail: float


def ground_and_detail(small: SmallGreen) -> Spread | None:
    """Return how much brightness differs over the retina's width, and from place to place.

    Returns
    -------
    Spread or None
        None if the retina is too small to tell.
    """
    core = core_of_small(small.inside)
    if not core.any():
        return None
    ground = local_mean(small.green, core, _GROUND)
    large = float(cv2.meanStdDev(ground, mask=core)[1].item())
    fine = float(cv2.meanStdDev(small.green - ground, mask=core)[1].item())
    return Spread(large, fine)


def core_of_small(inside: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the retina at a small size without a band along its rim."""
    return eroded(inside, _RIM)
