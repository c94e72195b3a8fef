"""Whether a picture lacks fine detail, as where it is out of focus or was enlarged from a small one."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.fine import FineSquare
from retinagan.runtime.retina.green import eroded, small_green

FINEST, FINE = 0.18, 0.18
"""Detail of up to 1 pixel, and of 1 to 2 pixels, as shares of that of 2 to 8 pixels. Photographs have 0.19
and 0.20 or more, and none is that low in both."""

_RIM = 5


def is_blurred(fine: FineSquare) -> bool:
    """Whether the finest detail is weaker than in any photograph in focus, even one that was compressed."""
    detail = fine_detail(fine)
    return detail.finest < FINEST and detail.fine < FINE


class FineDetail(NamedTuple):
    """Standard deviations of the detail of up to 1 pixel, and of 1 to 2 pixels, over that of 2 to 8 pixels.

    The first has noise and traces of compression, too. Infinite if there is no coarser detail.
    """

    finest: float
    fine: float


def fine_detail(fine: FineSquare) -> FineDetail:
    """Return how strong the green channel's finest detail is, at a side of 608 pixels."""
    green = fine.square[..., 1].astype(np.float32)
    one = np.asarray(cv2.GaussianBlur(green, (5, 5), 1.0), np.float32)
    two = np.asarray(cv2.GaussianBlur(green, (9, 9), 2.0), np.float32)
    small, inside = small_green(fine.square, fine.core > 0)
    ground = np.asarray(cv2.GaussianBlur(small, (13, 13), 2.0), np.float32)
    coarse = _deviation(small - ground, eroded(inside, _RIM))
    if coarse == 0:
        return FineDetail(np.inf, np.inf)
    return FineDetail(_deviation(green - one, fine.core) / coarse, _deviation(one - two, fine.core) / coarse)


def _deviation(values: NDArray[np.float32], where: NDArray[np.uint8]) -> float:
    return float(cv2.meanStdDev(values, mask=where)[1].item())
