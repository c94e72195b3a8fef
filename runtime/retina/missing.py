"""Parts of the retina of which a picture shows nothing: filled with one colour, or repeated from a line."""

from __future__ import annotations

import cv2
import numpy as np

from retinagan.runtime.retina.fine import FineSquare
from retinagan.runtime.warnings import ImageWarning

_RUN = 30
"""Pixels in a line that are all equal. Noise and texture end such runs after a few pixels in photographs."""


def missing_share(fine: FineSquare) -> float:
    """Return the share of the retina of which the picture shows nothing.

    Decoders of damaged files fill what they lack with grey or with the last line, which stays in the picture
    when it is saved again. Programs put bars over what they hide.

    Returns
    -------
    float
        The share that lies in long runs of equal pixels along a row or a column, 0 to 1. 0 in photographs.
    """
    square, roi = fine.square, fine.roi
    down, right = np.zeros(roi.shape, np.uint8), np.zeros(roi.shape, np.uint8)
    down[1:] = cv2.inRange(cv2.absdiff(square[1:], square[:-1]), (0, 0, 0), (0, 0, 0))
    right[:, 1:] = cv2.inRange(cv2.absdiff(square[:, 1:], square[:, :-1]), (0, 0, 0), (0, 0, 0))
    columns = cv2.morphologyEx(down, cv2.MORPH_OPEN, np.ones((_RUN, 1), np.uint8))
    rows = cv2.morphologyEx(right, cv2.MORPH_OPEN, np.ones((1, _RUN), np.uint8))
    missing = np.count_nonzero(cv2.bitwise_or(columns, rows, mask=roi.view(np.uint8)))
    return missing / max(1, int(np.count_nonzero(roi)))


def incomplete_warning(share: float) -> ImageWarning:
    """Say how much of the retina has no vessels in the map because the picture does not show it."""
    return ImageWarning(
        "retina-incomplete",
        f"{share:.0%} of the retina is covered, cut off by a bar, or missing from the picture; "
        "no vessels are found there",
    )
