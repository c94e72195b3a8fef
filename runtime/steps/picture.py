"""Warnings about a picture that follow from the square around its retina, whatever the map."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.evenness import is_filtered
from retinagan.runtime.retina.exposure import BURNT_OUT, burnt_out_share, is_faint
from retinagan.runtime.retina.find import Retina
from retinagan.runtime.retina.fine import FineSquare, fine_square
from retinagan.runtime.retina.green import SmallGreen, small_green
from retinagan.runtime.retina.missing import incomplete_warning, missing_share
from retinagan.runtime.retina.scrambled import SCRAMBLED, colour_change
from retinagan.runtime.retina.sharpness import is_blurred
from retinagan.runtime.retina.writing import SMALLEST_SIDE, is_written_on
from retinagan.runtime.steps.crop import SquareCrop, square_crop
from retinagan.runtime.warnings import ImageWarning

_MISSING = 0.05
"""Share of the retina that may lie in long runs of equal pixels. Photographs have 0.00."""

_BADLY_LIT = ("few-grey-levels", "overexposed")
"""Warnings that explain why brightness differs less than in photographs."""

_SIDE = 608
"""Side in pixels at which a picture is judged without a model, whose working size it would have."""


@dataclass(frozen=True, eq=False)
class Picture:
    """The square around a retina; S is its side.

    Attributes
    ----------
    retina : Retina
        The retina in the frame.
    square : (S, S, 3) uint8
        RGB, before equalization.
    roi : (S, S) bool
        True inside the retina.
    crop : SquareCrop
        The square's position in the frame.
    """

    retina: Retina
    square: NDArray[np.uint8]
    roi: NDArray[np.bool_]
    crop: SquareCrop

    @cached_property
    def small(self) -> SmallGreen:
        """The green channel at a small size."""
        return small_green(self.square, self.roi)

    @cached_property
    def fine(self) -> FineSquare:
        """The square at the size at which neighbouring pixels are compared."""
        return fine_square(self.square, self.roi)


def picture_of(image: NDArray[np.uint8], retina: Retina) -> Picture:
    """Return the square around a retina, 608 pixels wide unless it is small in the frame.

    Parameters
    ----------
    image : (H, W, 3) uint8
        RGB.
    retina : Retina
        The retina found in it.
    """
    crop = square_crop(retina.disc, retina.mask.shape, _SIDE)
    if crop.side < SMALLEST_SIDE:  # much enlarged, neighbouring pixels would be equal
        crop = square_crop(retina.disc, retina.mask.shape, crop.side)
    return Picture(retina, crop.cut(image), crop.cut_mask(retina.mask), crop)


def picture_warnings(picture: Picture) -> list[ImageWarning]:
    """Return what is doubtful about a picture, beyond the warnings of its retina."""
    # few levels make long runs of equal pixels, too
    faint = is_faint(picture.small)
    found = [ImageWarning("few-grey-levels")] if faint else _lost_parts(picture)
    badly_lit = any(warning.code in _BADLY_LIT for warning in found)
    large = picture.crop.side >= SMALLEST_SIDE
    if large and colour_change(picture.fine) > SCRAMBLED:
        found.append(ImageWarning("scrambled"))
    elif not badly_lit and is_filtered(picture.small):
        found.append(ImageWarning("preprocessed"))
    elif large and is_written_on(picture.fine):
        found.append(ImageWarning("writing-on-retina"))
    if large and not badly_lit and is_blurred(picture.fine):
        found.append(ImageWarning("blurred"))
    return found


def _lost_parts(picture: Picture) -> list[ImageWarning]:
    """Return the warnings about parts of the retina that are missing or burnt out."""
    found = []
    known = {warning.code for warning in picture.retina.warnings}
    missing = missing_share(picture.fine)
    if "retina-incomplete" not in known and missing > _MISSING:
        found.append(incomplete_warning(missing))
    burnt_out = burnt_out_share(picture.small) - missing  # a bar may be white
    if burnt_out > BURNT_OUT:
        text = f"{burnt_out:.0%} of the retina is as bright as the picture can be; vessels are lost there"
        found.append(ImageWarning("overexposed", text))
    return found
