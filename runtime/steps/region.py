"""What follows from a retina and its square alone, whatever the picture: made once for a still camera."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.crop import SquareCrop
from retinagan.runtime.steps.rim import Rim, with_rim


@dataclass(frozen=True, eq=False)
class Region:
    """A retina and the square around it; S is the working size, and the frame has H x W pixels.

    Parameters
    ----------
    retina : Retina
        The retina in the frame.
    crop : SquareCrop
        Position of the square in the frame.
    """

    retina: Retina
    crop: SquareCrop

    @cached_property
    def roi(self) -> NDArray[np.bool_]:
        """True inside the retina, (S, S), read-only."""
        return _read_only(self.crop.cut_mask(self.retina.mask))

    @cached_property
    def wide(self) -> NDArray[np.bool_]:
        """True inside the retina and on its rim, (H, W), read-only: where the map is defined."""
        return _read_only(with_rim(self.retina, self.crop))

    @cached_property
    def rim(self) -> Rim:
        """The rim in the square."""
        return Rim.of(self.roi, self.retina, self.crop)


MakeRegion = Callable[[Retina, SquareCrop], Region]
"""Return the region of a retina and its square, such as `Region` itself."""


class LatestRegion:
    """Returns the same region again while the retina is the same object and the square does not change.

    `StillRetina` returns the same retina while the camera's margin is unchanged. Thread-safe.
    """

    def __init__(self) -> None:
        self._latest: Region | None = None

    def __call__(self, retina: Retina, crop: SquareCrop) -> Region:
        """Return the region of a retina and its square."""
        latest = self._latest
        if latest is None or latest.retina is not retina or latest.crop != crop:
            latest = self._latest = Region(retina, crop)
        return latest


def _read_only(array: NDArray[np.bool_]) -> NDArray[np.bool_]:
    array.flags.writeable = False
    return array
