"""Parts of a picture whose colours change from pixel to pixel, as decoders make them of damaged data."""

from __future__ import annotations

import cv2
import numpy as np

from retinagan.runtime.retina.fine import FineSquare

SCRAMBLED = 70.0
"""Change of colour between neighbours, in grey levels. Photographs have up to 30, drawn letters up to 60."""

_BLOCK = 16
_SHARE = 0.005
"""Share of the blocks that may lie above what is returned."""
_SOUND, _NOISE = 0.05, 4.0
"""Share of the blocks that are sound at least, and the multiple of theirs above which others are not."""


def colour_change(fine: FineSquare) -> float:
    """Return how much the colour changes from pixel to pixel where it changes most.

    Light and shadow change all channels of a pixel together, so that their differences are smooth in every
    photograph. Damaged data decode to blocks of unrelated colours.

    Returns
    -------
    float
        Grey levels from each pixel to its left and upper neighbour, summed over the differences of red and
        of blue from green: of the blocks of 16x16 pixels, the 99.5th percentile of their means. 0 if it is
        less than four times the 5th percentile, as in a noisy picture.
    """
    red, green, blue = (channel.astype(np.int16) for channel in cv2.split(fine.square))
    change = np.zeros(fine.roi.shape, np.float32)
    for colour in (cv2.subtract(red, green), cv2.subtract(blue, green)):
        change[1:] += cv2.absdiff(colour[1:], colour[:-1])
        change[:, 1:] += cv2.absdiff(colour[:, 1:], colour[:, :-1])
    blocks = (max(1, len(fine.roi) // _BLOCK),) * 2
    weight = (fine.core > 0).astype(np.float32)
    covered = np.asarray(cv2.resize(weight, blocks, interpolation=cv2.INTER_AREA))
    means = np.asarray(cv2.resize(change * weight, blocks, interpolation=cv2.INTER_AREA))
    inside = covered > 0.5
    if not inside.any():
        return 0.0
    sound, most = np.quantile(means[inside] / covered[inside], (_SOUND, 1 - _SHARE))
    return float(most) if most > _NOISE * sound else 0.0
