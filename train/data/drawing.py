"""Whether drawn vessels are complete and of a vessel's form: not half of them, their outlines, or a disc."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.disc import Disc

EMPTY = 0.06
"""Share of what is drawn that must lie on either side of every line through the centre.

Of experts' maps of four datasets, the least is 0.12.
"""

BROADEST = 0.1
"""Radius of the largest drawn spot, as a share of the retina's radius. Vessels have up to 0.04."""

THIN = 0.2
"""Share of what is drawn that must be broader than two pixels. Experts' maps have 0.69 or more."""

_SMALLEST_RADIUS = 250
"""Pixels: of smaller retinas the vessels may be one or two pixels wide."""

SIDES = ("right", "lower right", "lower", "lower left", "left", "upper left", "upper", "upper right")
"""Names of eight directions in a picture, clockwise from the right."""


def drawing_fault(drawn: NDArray[np.bool_], disc: Disc) -> str:
    """Return why what is drawn cannot be all vessels of a retina; an empty string if it can.

    Parameters
    ----------
    drawn : (H, W) bool
        The drawn vessels inside the retina.
    disc : Disc
        The camera's field of view.
    """
    rows, columns = np.nonzero(drawn)
    if not len(rows):
        return ""
    for number, side in enumerate(SIDES):
        angle = 2 * np.pi * number / len(SIDES)
        along = (columns - disc.center_x) * np.cos(angle) + (rows - disc.center_y) * np.sin(angle)
        share = float(np.mean(along > 0))
        if share < EMPTY and _shown(drawn.shape, disc, angle):
            return (
                f"only {share:.0%} of what is drawn lies in the {side} half of the retina; complete the map, "
                "or cut image and map to the part that is drawn"
            )
    pixels = drawn.astype(np.uint8)
    broadest = float(cv2.distanceTransform(pixels, cv2.DIST_L2, 3).max()) / disc.radius
    if broadest > BROADEST:
        return (
            f"a spot {broadest:.0%} as wide as the retina is drawn, such as an optic disc; "
            "vessels are lines: erase it"
        )
    broad = np.count_nonzero(cv2.morphologyEx(pixels, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)))
    if disc.radius >= _SMALLEST_RADIUS and broad < THIN * len(rows):
        return (
            f"{1 - broad / len(rows):.0%} of what is drawn is one or two pixels wide, as centrelines or "
            "outlines are; draw the vessels as wide as they are"
        )
    return ""


def _shown(shape: tuple[int, int], disc: Disc, angle: float) -> bool:
    """Whether the frame shows the retina in that direction as far as half its radius."""
    x = disc.center_x + disc.radius * np.cos(angle) / 2
    y = disc.center_y + disc.radius * np.sin(angle) / 2
    return bool(0 <= x < shape[1] and 0 <= y < shape[0])
