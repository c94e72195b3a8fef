"""Whether drawn vessels lie on the vessels of their image: another image's map, or a turned one, does not."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.crop import SquareCrop, square_crop

LEAST = 0.6
"""Contrast below which drawn vessels lie beside those of the image.

Experts' maps of DRIVE, CHASE_DB1 and HRF have 1.3 or more, and those of FIVES, some of which is blurred, 0.96
or more. The same maps mirrored, turned, of another image, or moved by 2 % of the retina's width have at most
0.22. Moved by 1 %, those of DRIVE and the drawn eyes have at most 0.25.
"""

LEAST_NEAR_RIM, _INNER = 0.65, 0.6
"""The same beyond 0.6 of the retina's radius. Experts' maps have 0.88 or more; turned by 2 degrees they have
at most 0.63, since a turn or another scale moves most what is far from the centre."""

_SIDE = 304
_GROUND = 15
_DRAWN, _FREE = 102, 26  # of 255: the shares from which a pixel is drawn, and up to which it is background
_FEWEST = 50

Mask = NDArray[np.bool_]

_TURNS: dict[str, Callable[[Mask], Mask]] = {
    "turned by 90 degrees clockwise": lambda drawn: np.rot90(drawn, -1),
    "turned by 180 degrees": lambda drawn: np.rot90(drawn, 2),
    "turned by 90 degrees counterclockwise": lambda drawn: np.rot90(drawn),
    "mirrored left to right": lambda drawn: drawn[:, ::-1],
    "mirrored top to bottom": lambda drawn: drawn[::-1],
    "mirrored along a diagonal": lambda drawn: drawn.T,
    "mirrored along the other diagonal": lambda drawn: np.rot90(drawn, 2).T,
}


def alignment_fault(image: NDArray[np.uint8], retina: Retina, drawn: Mask) -> str:
    """Return what is wrong with the place of drawn vessels; an empty string if they lie on the image's.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    retina : Retina
        The retina found in it.
    drawn : (H, W) bool
        The vessels of a map.
    """
    crop = square_crop(retina.disc, retina.mask.shape, _SIDE)
    detail, core = _detail(crop.cut(image[..., 1]), crop.cut_mask(retina.mask))
    if _fits(contrast := _contrast(detail, core, crop, drawn)):
        return ""
    for name, turn in _TURNS.items():
        turned = np.ascontiguousarray(turn(drawn))
        if turned.shape == drawn.shape and _fits(_contrast(detail, core, crop, turned)):
            return f"what is drawn lies on the image's vessels if it is {name}; turn the map like the image"
    return (
        f"what is drawn does not lie on the image's vessels: it is {contrast:.1f} standard deviations darker "
        "than what lies beside it, vessels are 1 to 2; it may be another image's map, or shifted"
    )


def rim_fault(image: NDArray[np.uint8], retina: Retina, drawn: Mask) -> str:
    """Return that drawn vessels lie on the image's in the middle alone; an empty string if elsewhere, too.

    Parameters
    ----------
    image, retina, drawn
        As for `alignment_fault`.
    """
    crop = square_crop(retina.disc, retina.mask.shape, _SIDE)
    detail, core = _detail(crop.cut(image[..., 1]), crop.cut_mask(retina.mask))
    rows, columns = np.ogrid[:_SIDE, :_SIDE]
    middle = (_SIDE - 1) / 2
    outer = np.hypot(rows - middle, columns - middle) > _INNER * _SIDE / 2
    contrast = _contrast(detail, core & outer, crop, drawn)
    if contrast is None or abs(contrast) >= LEAST_NEAR_RIM:
        return ""
    return (
        "what is drawn lies on the image's vessels in the middle, but beside them farther out: the map is "
        "turned by some degrees, of another scale, or coarse; register it to the image"
    )


def _fits(contrast: float | None) -> bool:
    """Whether drawn pixels stand out; vessels may be bright, as in angiograms."""
    return contrast is None or abs(contrast) >= LEAST


def _detail(green: NDArray[np.uint8], inside: Mask) -> tuple[NDArray[np.float32], Mask]:
    """Return the darkness against the surroundings in local standard deviations, and the retina's core."""
    level, weight = green.astype(np.float32), inside.astype(np.float32)
    window, wide = (_GROUND, _GROUND), (4 * _GROUND + 1, 4 * _GROUND + 1)
    ground = cv2.blur(level * weight, window) / np.maximum(cv2.blur(weight, window), 1e-3)
    darker = ground - level
    deviation = np.sqrt(np.maximum(cv2.blur(darker * darker, wide), 0)) + 1
    rim = np.ones(window, np.uint8)
    core = cv2.erode(inside.view(np.uint8), rim, borderType=cv2.BORDER_CONSTANT, borderValue=0) > 0
    return np.asarray(np.clip(darker / deviation, -3, 3), np.float32), core


def _contrast(detail: NDArray[np.float32], core: Mask, crop: SquareCrop, drawn: Mask) -> float | None:
    """Return by how many standard deviations what is drawn is darker; None if too little is drawn."""
    share = crop.cut(np.where(drawn, np.uint8(255), np.uint8(0)))
    vessel, beside = core & (share >= _DRAWN), core & (share < _FREE)
    if min(np.count_nonzero(vessel), np.count_nonzero(beside)) < _FEWEST:
        return None
    deviation = float(detail[core].std())
    return float(detail[vessel].mean() - detail[beside].mean()) / max(deviation, 1e-6)
