"""Lengths in an image: how long a pixel is on the retina, and what that rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass

from retinagan.runtime.images.photograph import Photograph
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.segmenter import Segmentation

_WIDEST_MILLIMETRES = 0.18  # beyond the optic disc few vessels of an eye are wider
_WIDEST_DEGREES = 0.6  # about the same: a degree is 0.29 mm in an eye of usual length
_WIDEST_SHARE = 1 / 60  # of the disc's diameter: not less than that with cameras of 36 degrees and more


@dataclass(frozen=True)
class Ruler:
    """How long a pixel is.

    Attributes
    ----------
    unit : {"mm", "degrees", "pixels"}
    per_pixel : float
        Length of a pixel of the image, along a row.
    widest : float
        Where colours of calibres end, in the unit: the same for all images of a camera.
    basis : str
        What the length rests on, in words; empty for pixels.
    """

    unit: str
    per_pixel: float
    widest: float
    basis: str = ""

    @classmethod
    def of(cls, photograph: Photograph, result: Segmentation, disc: Disc, angle_from: str) -> Ruler:
        """Return the ruler of an image.

        It is in millimetres where the file declares the spacing of pixels, otherwise in degrees where the
        camera's angle is known or assumed, otherwise in pixels.

        Parameters
        ----------
        photograph : Photograph
        result : Segmentation
            Its `field_of_view` is the angle of the disc's diameter.
        disc : Disc
            The retina's, in the image's pixels.
        angle_from : {"given", "file", "assumed", "fixed"}
            Where the angle comes from; "fixed" if the result has none.
        """
        if photograph.pixel_spacing is not None:
            return cls("mm", photograph.pixel_spacing[1], _WIDEST_MILLIMETRES, "pixel spacing of the file")
        angle, diameter = result.field_of_view, 2 * disc.radius
        if angle is None and photograph.field_of_view is not None:
            angle, angle_from = photograph.field_of_view, "file"
        if angle is None:
            return cls("pixels", 1.0, float(max(2, round(diameter * _WIDEST_SHARE))))
        origin = {"given": "as given", "file": "as the file says", "assumed": "which is assumed"}[angle_from]
        return cls("degrees", angle / diameter, _WIDEST_DEGREES, f"camera of {angle:g} degrees, {origin}")

    def bar(self, longest: float) -> tuple[float, float]:
        """Return the length of a scale bar, in pixels and in the unit: 1, 2 or 5 times a power of ten.

        Parameters
        ----------
        longest : float
            The most pixels that it may have.
        """
        limit = longest * self.per_pixel
        power = 10.0 ** math.floor(math.log10(limit))
        length = max(step * power for step in (1, 2, 5) if step * power <= limit * (1 + 1e-9))
        return length / self.per_pixel, length
