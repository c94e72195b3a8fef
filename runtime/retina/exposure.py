"""Whether a picture has too little light or too much, so that its grey levels lose the vessels."""

from __future__ import annotations

import cv2
import numpy as np

from retinagan.runtime.retina.evenness import core_of_small, ground_and_detail
from retinagan.runtime.retina.green import SmallGreen

_FAINT = 2.0
"""Grey levels of detail. Photographs have 4.9 or more, and those at a tenth of their light 0.6 to 1.9."""

BURNT_OUT = 0.05
"""Share of the retina that may be as bright as its brightest pixels. Photographs have up to 0.011."""

_ALIKE = 6
"""Grey levels by which compression changes what is burnt out."""
_BRIGHT = 128
"""Level below which the brightest pixels are not the end of a scale."""


def is_faint(small: SmallGreen) -> bool:
    """Whether the retina's detail spans few grey levels in green, as where there is too little light.

    The levels themselves are no measure: a dark picture of 16 bits that is scaled has as much detail as any.
    """
    spread = ground_and_detail(small)
    return spread is not None and spread.detail < _FAINT


def burnt_out_share(small: SmallGreen) -> float:
    """Return the share of the retina where green is as bright as can be, so that it shows no vessels.

    The optic disc may be burnt out in a good photograph, but is small. The end of the scale is what the
    brightest pixels have, not 255: programs may darken a picture afterwards.

    Returns
    -------
    float
        0 to 1; 0 if the brightest pixels are not bright.
    """
    core = core_of_small(small.inside)
    levels = np.asarray(cv2.calcHist([small.green], [0], core, [256], [0, 256])).ravel()
    number = float(levels.sum())
    brightest = int(np.searchsorted(np.cumsum(levels), 0.999 * number))  # not a hot pixel
    if number == 0 or brightest < _BRIGHT:
        return 0.0
    return float(levels[brightest - _ALIKE :].sum()) / number
