"""Rings and quadrants round the centre of the field of view."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.measures.lines import norms
from retinagan.runtime.retina.disc import Disc

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

RINGS = ("inner", "middle", "outer")
"""Rings of a third of the disc's radius each; what lies beyond the disc counts to the outer one."""

QUADRANTS = ("upper_left", "upper_right", "lower_left", "lower_right")
"""Quarters of the picture round the disc's centre. Which of them is nasal depends on the eye."""

REGIONS = (*RINGS, *QUADRANTS)


@dataclass(frozen=True)
class Regions:
    """The regions of one field of view.

    Parameters
    ----------
    disc : Disc
        The circle fitted to the retina, in pixels.
    """

    disc: Disc

    def pixels(self, mask: Mask) -> NDArray[np.int64]:
        """Count the pixels of an (H, W) mask in each of `REGIONS`, (7,)."""
        height, width = mask.shape
        row = int(np.clip(np.ceil(self.disc.center_y), 0, height))
        column = int(np.clip(np.ceil(self.disc.center_x), 0, width))
        quarters = [mask[:row, :column], mask[:row, column:], mask[row:, :column], mask[row:, column:]]
        within = [self._within(mask, radius) for radius in self._radii]
        rings = np.diff([0, *within, np.count_nonzero(mask)])
        return np.array([*rings, *(_count(quarter) for quarter in quarters)], np.int64)

    def _within(self, mask: Mask, radius: float) -> int:
        """Count the pixels of a mask in a disc of this radius."""
        x, y = self.disc.center_x, self.disc.center_y
        left, top = (max(int(np.floor(middle - radius)), 0) for middle in (x, y))
        right, bottom = (max(int(np.ceil(middle + radius)) + 1, 0) for middle in (x, y))
        part = mask[top:bottom, left:right]
        return _count(part & Disc(x - left, y - top, radius).drawn(part.shape))

    def sums(self, points: Floats, values: Floats) -> Floats:
        """Return the sums of (N,) values at (N, 2) points (x, y) in each of `REGIONS`, (7,)."""
        ring, quadrant = self.of(points)
        return np.concatenate(
            [
                np.bincount(ring, values, minlength=len(RINGS)),
                np.bincount(quadrant, values, minlength=len(QUADRANTS)),
            ]
        )

    def of(self, points: Floats) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the numbers of the ring and of the quadrant of (N, 2) points (x, y), (N,) each."""
        x, y = points[:, 0] - self.disc.center_x, points[:, 1] - self.disc.center_y
        distance = norms(x, y)
        inner, middle = self._radii
        ring = (distance > inner).astype(np.intp) + (distance > middle)
        return ring, 2 * (y >= 0) + (x >= 0)

    @property
    def _radii(self) -> tuple[float, float]:
        return self.disc.radius / 3, self.disc.radius * 2 / 3


def _count(mask: Mask) -> int:
    """Count the pixels of a part of a mask: numpy is slow on parts of rows."""
    return cv2.countNonZero(mask.view(np.uint8)) if mask.size else 0
