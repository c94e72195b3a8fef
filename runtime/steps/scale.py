"""The size of the working square: by pixels per degree and the camera's field of view, or fixed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from retinagan.runtime.errors import ImageError
from retinagan.runtime.images.photograph import NARROWEST, WIDEST
from retinagan.runtime.model.fields import is_number
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.retina.disc import Disc


@dataclass(frozen=True)
class WorkingSquare:
    """The square around a retina, in pixels of the image and of the network's input.

    Attributes
    ----------
    size : int
        Side at the working scale, in pixels.
    side : int
        Side in the image's pixels; at least the disc's diameter.
    field_of_view : float or None
        Angle of the disc's diameter in degrees; None if the working size is fixed.
    """

    size: int
    side: int
    field_of_view: float | None = None


def working_square(
    preprocessing: Preprocessing, disc: Disc, field_of_view: float | None = None
) -> WorkingSquare:
    """Return the working square of a retina.

    With `preprocessing.pixels_per_degree` the square has that density, but at most
    `preprocessing.largest_magnification` times the image's own: at 1 no image is magnified. The side is
    extended beyond the disc to a multiple of `preprocessing.size_multiple`, so that engines see few different
    sizes and the density stays exact. With `preprocessing.working_size` the disc fills a square of that size.

    Parameters
    ----------
    preprocessing : Preprocessing
        The model's preprocessing.
    disc : Disc
        The circle fitted to the retina, in the image's pixels. It is the whole circle, whose diameter is the
        camera's angle, even where the frame cuts the retina.
    field_of_view : float, optional
        Angle of the disc's diameter in degrees, 10 to 220; the preprocessing's assumption if left out.

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
    """Check that a field of view is one that a fundus camera can have.

    Raises
    ------
    ImageError
        If it is not a number from 10 to 220.
    """
    if not is_number(degrees):
        raise ImageError(
            f"field of view: got {degrees!r}; expected the camera's angle as a number, such as 45"
        )
    if not NARROWEST <= degrees <= WIDEST:  # not so for NaN either
        raise ImageError(
            f"field of view of {degrees:g} degrees; expected the camera's angle, "
            f"{NARROWEST:g} to {WIDEST:g}, such as 45"
        )
