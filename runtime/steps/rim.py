"""The rim of the retina: the border found is halfway down the step to the dark; experts draw to its foot."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.crop import SquareCrop

_WIDTH = 0.004
"""Share of the retina's radius by which the experts' fields of view on DRIVE are wider."""


def with_rim(retina: Retina, crop: SquareCrop) -> NDArray[np.bool_]:
    """Return the retina's mask, widened by its rim inside the square, which limits the map.

    Returns
    -------
    (H, W) bool
        A new array. A retina with a radius below 125 pixels has no rim, which would be under half a pixel.
    """
    width = _width(retina)
    neighbourhood = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    wide = cv2.dilate(retina.mask.view(np.uint8), neighbourhood).view(np.bool_)
    kept: NDArray[np.bool_] = retina.mask.copy()
    kept[crop.in_image] = wide[crop.in_image]
    return kept


@dataclass(frozen=True)
class Rim:
    """The rim in the working square, which the network does not see; S is the working size.

    Attributes
    ----------
    roi : (S, S) bool
        True inside the retina.
    window : (int, int)
        Size of the neighbourhood in which values beside a pixel are averaged.
    places : (N,) int
        Pixels of the rim and one pixel beyond, which resizing blends in, as indices of the flat square.
    share : (N,) float32
        Share of retina in the neighbourhood of each place.
    """

    roi: NDArray[np.bool_]
    window: tuple[int, int]
    places: NDArray[np.intp]
    share: NDArray[np.float32]

    @classmethod
    def of(cls, roi: NDArray[np.bool_], retina: Retina, crop: SquareCrop) -> Rim:
        """Return the rim of a retina in its square, whose pixels inside it are `roi`."""
        reach = round(_width(retina) * crop.working_size / crop.side) + 1
        window = (2 * reach + 1, 2 * reach + 1)
        share = np.asarray(cv2.blur(roi.astype(np.float32), window), np.float32)
        places = np.flatnonzero((share > 1e-6) & ~roi)  # above what rounding leaves
        return cls(roi, window, places, share.ravel()[places])

    def spread(self, probability: NDArray[np.float32]) -> NDArray[np.float32]:
        """Extend a map over the rim by the values beside it in the retina.

        Parameters
        ----------
        probability : (S, S) float32
            The map of the working square.

        Returns
        -------
        (S, S) float32
            Unchanged inside `roi`. On the rim the mean of nearby values inside; 0 further out. A new array.
        """
        spread = np.asarray(cv2.copyTo(probability, self.roi.view(np.uint8)), np.float32)
        mean = cv2.blur(spread, self.window)
        spread.ravel()[self.places] = mean.ravel()[self.places] / self.share
        return spread


def _width(retina: Retina) -> int:
    return round(_WIDTH * retina.disc.radius)
