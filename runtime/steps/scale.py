"""The side of the working square: pixels a degree and the camera's field of view, or one fixed size."""

from __future__ import annotations

import math
from dataclasses import dataclass

from retinagan.runtime.errors import ImageError
from retinagan.runtime.model.spec import Preprocessing
from retinagan.runtime.retina.disc import Disc

NARROWEST, WIDEST = 10.0, 220.0
"""Fields of view in degrees that a fundus camera may have; anything else is a slip."""


@dataclass(frozen=True)
class WorkingSquare:
    """The square round a retina, in the image's pixels and in those that the network sees.

    Attributes
    ----------
    size : int
        Its side at the working scale, in pixels.
    side : int
        The same side in the image's pixels: at least the disc's diameter.
    field_of_view : float or None
        Degrees that the disc's diameter was taken for; None where the working size is fixed.
    """

    size: int
    side: int
    field_of_view: float | None = None


def working_square(
    preprocessing: Preprocessing, disc: Disc, field_of_view: float | None = None
) -> WorkingSquare:
    """Give the working square of a retina.

    With `preprocessing.pixels_per_degree` the square has that density, but at most
    `preprocessing.largest_magnification` times the image's own: at 1 a retina that the camera drew smaller
    keeps its pixels. Its side is filled up to a multiple of
    `preprocessing.size_multiple` by what lies round the disc, so that engines see few different sizes and
    the density stays exact. With `preprocessing.working_size` the disc fills a square of that size.

    Parameters
    ----------
    preprocessing : Preprocessing
        Of the model.
    disc : Disc
        The retina's fitted circle, in the image's pixels. Where the frame cuts the retina it is still the
        whole circle, whose diameter is the camera's angle.
    field_of_view : float, optional
        Degrees of the disc's diameter, 10 to 220. The preprocessing's own assumption if left out.

    Raises
    ------
    ImageError
        If the field of view is out of range.
    """
    diameter = math.ceil(2 * disc.radius) + 1
    if field_of_view is not None:
        check_field_of_view(field_of_view)
    if preprocessing.pixels_per_degree is None:
        return WorkingSquare(preprocessing.fixed_size, diameter)
    degrees = preprocessing.field_of_view if field_of_view is None else float(field_of_view)
    scale = min(preprocessing.pixels_per_degree * degrees / diameter, preprocessing.largest_magnification)
    multiple = preprocessing.size_multiple
    size = max(math.ceil(round(diameter * scale, 6) / multiple), 1) * multiple
    return WorkingSquare(size, max(math.ceil(round(size / scale, 6)), diameter), degrees)


def check_field_of_view(degrees: float) -> None:
    """Refuse a field of view that no fundus camera has.

    Raises
    ------
    ImageError
        If it is not a number from 10 to 220.
    """
    if not NARROWEST <= degrees <= WIDEST:  # not so for NaN either
        raise ImageError(
            f"field of view of {degrees:g} degrees; expected the camera's angle, "
            f"{NARROWEST:g} to {WIDEST:g}, such as 45"
        )
