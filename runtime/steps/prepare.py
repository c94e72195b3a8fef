"""From a frame to the equalized working square, the same in training and on the device."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.images.frames import ColorOrder
from retinagan.runtime.images.photograph import Frame, angle_of, rgb8_of
from retinagan.runtime.model.parameters import Preprocessing
from retinagan.runtime.retina.find import Retina, find_retina
from retinagan.runtime.steps.crop import SquareCrop, square_crop
from retinagan.runtime.steps.equalize import equalize
from retinagan.runtime.steps.region import MakeRegion, Region
from retinagan.runtime.steps.scale import working_square
from retinagan.runtime.steps.timing import StageClock

FindRetina = Callable[[NDArray[np.uint8]], Retina]


@dataclass(frozen=True)
class Prepared:
    """A frame in the form that the network was trained on; S is the working size.

    Attributes
    ----------
    image : (S, S, 3) uint8 array
        The equalized square, RGB, 0 outside `roi`.
    region : Region
        The retina and its square, with what follows from these alone.
    square : (S, S, 3) uint8 array
        The square before equalization, RGB.
    field_of_view : float or None
        Angle of the disc's diameter in degrees; None if the working size is fixed.
    """

    image: NDArray[np.uint8]
    region: Region
    square: NDArray[np.uint8]
    field_of_view: float | None = None

    @property
    def roi(self) -> NDArray[np.bool_]:
        """True inside the retina, (S, S) bool, read-only."""
        return self.region.roi

    @property
    def crop(self) -> SquareCrop:
        """Position of the square in the frame; restores maps and cuts other images alike."""
        return self.region.crop

    @property
    def retina(self) -> Retina:
        """The retina in the frame, at the frame's size."""
        return self.region.retina


def prepare(
    frame: Frame,
    options: Preprocessing,
    color: ColorOrder = "rgb",
    clock: StageClock | None = None,
    find: FindRetina = find_retina,
    field_of_view: float | None = None,
    make_region: MakeRegion = Region,
) -> Prepared:
    """Find the retina, crop the square around it at working size, and equalize it.

    Parameters
    ----------
    frame : (H, W) or (H, W, 3) array, or Photograph
        uint8 or uint16 fundus image.
    options : Preprocessing
        Working size and equalization.
    color : {"rgb", "bgr"}
        The order of the frame's channels.
    clock : StageClock, optional
        Counts the stages "roi", "crop" and "equalize".
    find : callable
        Finds the retina in an RGB image, as `find_retina` does.
    field_of_view : float, optional
        Angle of the disc's diameter in degrees, 10 to 220; that of the photograph if left out, or else the
        assumption in `options`.
    make_region : callable
        Returns the region of a retina and its square, such as a `LatestRegion`.

    Raises
    ------
    ImageError
        If the frame's dtype or shape is wrong, or the field of view is out of range; `NoRetinaError` if the
        frame shows no retina.
    """
    clock = clock or StageClock()
    with clock.stage("roi"):
        image = rgb8_of(frame, color)
        retina = find(image)
    with clock.stage("crop"):
        angle = angle_of(frame) if field_of_view is None else field_of_view
        working = working_square(options, retina.disc, angle)
        crop = square_crop(retina.disc, retina.mask.shape, working.size, working.side)
        region = make_region(retina, crop)
        square, roi = crop.cut(image), region.roi
    with clock.stage("equalize"):
        equalized = equalize(square, roi, options)
    return Prepared(equalized, region, square, working.field_of_view)
