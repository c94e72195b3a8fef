"""Check a dataset's FOV masks and vessel maps against the retina found in the image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]

AGREEMENT = 0.85
"""Least intersection over union of an FOV mask and the retina that is found."""

OUTSIDE = 0.1
"""Largest share of the drawn vessels that may lie outside an FOV mask."""

BEYOND = 0.2
"""Largest share of what is drawn that may lie outside the retina."""

RIM = 0.6
"""Largest share of the retina's rim that may be drawn as vessel."""


def fov_fault(fov: Mask, truth: Mask, retina: Mask | None) -> str:
    """Return what is wrong with an FOV mask; an empty string if it fits.

    Parameters
    ----------
    fov, truth : (H, W) bool
        The mask, and the drawn vessels.
    retina : (H, W) bool or None
        The retina found in the image, or None if there is none.
    """
    if not fov.any():
        return "the mask is empty"
    if _union_share(fov, truth) > 0.7:
        return "the mask looks like the vessel map"
    if retina is None:
        outside = _share(truth & ~fov, truth)
        return f"{outside:.0%} of the vessels lie outside the mask" if outside > OUTSIDE else ""
    agreement = _union_share(fov, retina)
    if agreement >= AGREEMENT:
        return ""
    if _union_share(~fov, retina) > agreement:
        return "the mask looks inverted: it is black where the retina is"
    if fov.mean() > 0.99:
        return f"the mask covers the whole picture, but the retina found in it {retina.mean():.0%}"
    return (
        f"the mask and the retina found in the picture overlap by only {agreement:.0%}, and "
        f"{_share(truth & ~fov, truth):.0%} of the vessels lie outside the mask: it may be another image's"
    )


def truth_fault(truth: Mask, retina: Mask | None, rim: Mask | None) -> str:
    """Return why a drawn map cannot show vessels; an empty string if it can.

    Parameters
    ----------
    truth : (H, W) bool
        What is drawn.
    retina, rim : (H, W) bool or None
        The retina found in the image and a band inside its edge, or None if there is none.
    """
    share = truth.mean()
    if not 0.0 < share < 0.5:
        return f"{share:.0%} of it is vessel, expected more than none and less than half"
    if retina is None or rim is None:
        return ""
    inside = _share(truth & retina, retina)
    if inside > 0.5:
        return f"{inside:.0%} of the retina is vessel, expected less than half"
    beyond = _share(truth & ~retina, truth)
    if beyond > BEYOND:
        return f"{beyond:.0%} of what is drawn lies outside the retina that is found in the image"
    drawn = _share(truth & rim, rim)
    if drawn > RIM:
        return f"{drawn:.0%} of the rim of the retina is drawn as vessel: erase its outline"
    return ""


def rim_of(retina: Mask, radius: float) -> Mask:
    """Return the outer 4 % of the retina, a band of at least 3 pixels inside its edge."""
    side = 2 * max(3, round(0.04 * radius)) + 1
    inner = cv2.erode(retina.astype(np.uint8), np.ones((side, side), np.uint8), borderValue=0)
    return np.asarray(retina & (inner == 0))


def _share(part: Mask, whole: Mask) -> float:
    return int(np.count_nonzero(part)) / max(1, int(np.count_nonzero(whole)))


def _union_share(one: Mask, other: Mask) -> float:
    return _share(one & other, one | other)
