"""Whether drawn vessels lie on the vessels of their image: another image's map, or a turned one, does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.find import Retina
from retinagan.runtime.retina.green import eroded, local_mean
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


@dataclass(frozen=True, eq=False)
class Detail:
    """How much darker each place of an image is than its surroundings, at a small size.

    Attributes
    ----------
    darkness : (304, 304) float32
        In local standard deviations, -3 to 3.
    core : (304, 304) bool
        The retina without a band along its rim.
    crop : SquareCrop
        The square's position in the image.
    """

    darkness: NDArray[np.float32]
    core: Mask
    crop: SquareCrop

    def contrast(self, drawn: Mask, where: Mask | None = None) -> float | None:
        """Return by how many standard deviations what is drawn is darker; None if too little is drawn.

        Parameters
        ----------
        drawn : (H, W) bool
            The drawn vessels at the image's size.
        where : (304, 304) bool, optional
            The part of the core to look at; all of it if left out.
        """
        core = self.core if where is None else self.core & where
        share = self.crop.cut(np.where(drawn, np.uint8(255), np.uint8(0)))
        vessel, beside = core & (share >= _DRAWN), core & (share < _FREE)
        if min(np.count_nonzero(vessel), np.count_nonzero(beside)) < _FEWEST:
            return None
        deviation = float(self.darkness[core].std())
        return float(self.darkness[vessel].mean() - self.darkness[beside].mean()) / max(deviation, 1e-6)


def detail_of(image: NDArray[np.uint8], retina: Retina) -> Detail:
    """Return the detail of an (H, W, 3) uint8 RGB image around the retina found in it."""
    crop = square_crop(retina.disc, retina.mask.shape, _SIDE)
    level, inside = crop.cut(image[..., 1]).astype(np.float32), crop.cut_mask(retina.mask)
    darker = local_mean(level, inside, _GROUND) - level
    wide = (4 * _GROUND + 1, 4 * _GROUND + 1)
    deviation = np.sqrt(np.maximum(cv2.blur(darker * darker, wide), 0)) + 1
    darkness = np.asarray(np.clip(darker / deviation, -3, 3), np.float32)
    return Detail(darkness, eroded(inside.view(np.uint8), _GROUND) > 0, crop)


def alignment_fault(detail: Detail, drawn: Mask) -> str:
    """Return what is wrong with the place of drawn vessels; an empty string if they lie on the image's.

    Parameters
    ----------
    detail : Detail
        Of the image, by `detail_of`.
    drawn : (H, W) bool
        The vessels of a map.
    """
    if _fits(contrast := detail.contrast(drawn)):
        return ""
    for name, turn in _TURNS.items():
        turned = np.ascontiguousarray(turn(drawn))
        if turned.shape == drawn.shape and _fits(detail.contrast(turned)):
            return f"what is drawn lies on the image's vessels if it is {name}; turn the map like the image"
    return (
        f"what is drawn does not lie on the image's vessels: it is {contrast:.1f} standard deviations darker "
        "than what lies beside it, vessels are 1 to 2; it may be another image's map, or shifted"
    )


def rim_fault(detail: Detail, drawn: Mask) -> str:
    """Return that drawn vessels lie on the image's in the middle alone; an empty string if elsewhere, too.

    Parameters
    ----------
    detail, drawn
        As for `alignment_fault`.
    """
    rows, columns = np.ogrid[:_SIDE, :_SIDE]
    middle = (_SIDE - 1) / 2
    outer = np.hypot(rows - middle, columns - middle) > _INNER * _SIDE / 2
    contrast = detail.contrast(drawn, outer)
    if contrast is None or abs(contrast) >= LEAST_NEAR_RIM:
        return ""
    return (
        "what is drawn lies on the image's vessels in the middle, but beside them farther out: the map is "
        "turned by some degrees, of another scale, or coarse; register it to the image"
    )


def _fits(contrast: float | None) -> bool:
    """Whether drawn pixels stand out; vessels may be bright, as in angiograms."""
    return contrast is None or abs(contrast) >= LEAST
