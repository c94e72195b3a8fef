"""The one-pixel centreline of a vessel map, as a graph of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.errors import OptionError

Mask = NDArray[np.bool_]


def require_skeletonize() -> None:
    """Check that scikit-image is there.

    Raises
    ------
    OptionError
        If it is not, with the command that installs it.
    """
    _skeletonize(np.zeros((3, 3), bool))


def skeletonize(vessels: Mask) -> Mask:
    """Thin vessels to lines of one pixel, (H, W) bool.

    References
    ----------
    T. Y. Zhang and C. Y. Suen, "A fast parallel algorithm for thinning digital patterns", Communications of
    the ACM 27, 236-239, 1984, https://doi.org/10.1145/357994.358023
    """
    left, top, width, height = cv2.boundingRect(vessels.view(np.uint8))
    skeleton = np.zeros(vessels.shape, bool)
    if width:
        part = np.s_[top : top + height, left : left + width]
        skeleton[part] = _skeletonize(np.ascontiguousarray(vessels[part]))
    return skeleton


def _skeletonize(vessels: Mask) -> Mask:
    try:
        from skimage.morphology import skeletonize as thinned
    except ImportError as error:
        raise OptionError(
            f'measuring needs scikit-image ({error}): pip install "retinagan[measure]"'
        ) from error
    return np.asarray(thinned(vessels), bool)


@dataclass(frozen=True)
class PixelGraph:
    """The pixels of a skeleton, and which of them are neighbours.

    Two pixels that touch at a side are neighbours. Two that touch at a corner are neighbours only if no third
    one touches both at a side (m-adjacency), so that a line with right-angled steps has no branches.

    Attributes
    ----------
    x, y : (N,) int arrays
        Columns and rows of the pixels.
    first, second : (E,) int arrays
        The numbers of both pixels of each pair of neighbours.
    """

    x: NDArray[np.intp]
    y: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]

    @classmethod
    def of(cls, skeleton: Mask) -> PixelGraph:
        """Return the graph of an (H, W) skeleton."""
        height, width = skeleton.shape
        y, x = np.divmod(np.flatnonzero(skeleton), width)
        stride = width + 2  # a margin on the sides that are looked at
        place = y * stride + x + 1
        number = np.zeros((height + 1) * stride, np.int32)  # from 1: zeros need no filling
        number[place] = np.arange(1, len(x) + 1)
        right, below, left = (number.take(place + step) for step in (1, stride, -1))
        below_left, below_right = (number.take(place + stride + step) for step in (-1, 1))
        alone = below == 0  # no pixel below that a diagonal step could go round by
        diagonal_right = below_right * (alone & (right == 0))
        diagonal_left = below_left * (alone & (left == 0))
        neighbours = np.concatenate([right, below, diagonal_right, diagonal_left])
        found = np.flatnonzero(neighbours)
        return cls(x, y, found % max(len(x), 1), neighbours.take(found).astype(np.intp) - 1)

    def degrees(self) -> NDArray[np.intp]:
        """Return how many neighbours each pixel has, (N,)."""
        return np.bincount(np.concatenate([self.first, self.second]), minlength=len(self.x))
