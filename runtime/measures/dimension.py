"""The box-counting dimension of a vessel map."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.disc import Disc

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

SMALLEST = 1 / 128
"""Side of the smallest boxes, as a share of the field's diameter."""
OCTAVES, PER_OCTAVE = 4, 3
"""The largest boxes are 2 ** OCTAVES times as wide; there are PER_OCTAVE sizes to each doubling."""


class Dimension(NamedTuple):
    """A fitted dimension and the standard error of the fit."""

    dimension: float
    error: float


def box_counting_dimension(vessels: Mask, diameter: float, corner: tuple[float, float]) -> Dimension | None:
    """Fit the dimension of an (H, W) map: the slope of log N(s) over log 1/s.

    N(s) is the number of boxes of side s that hold a vessel, for sides from a 128th to an eighth of the
    field's diameter. The standard error is that of the slope in the least squares fit: it tells how far the
    counts are from a straight line.

    Parameters
    ----------
    vessels : (H, W) bool array
    diameter : float
        Of the field of view, in pixels.
    corner : tuple of float
        A corner (x, y) that boxes of all sizes share, in pixels.

    Returns
    -------
    Dimension or None
        None for a map without vessels.

    References
    ----------
    B. R. Masters, "Fractal Analysis of the Vascular Tree in the Human Retina", Annual Review of Biomedical
    Engineering 6, 427-452, 2004, https://doi.org/10.1146/annurev.bioeng.6.040803.140100
    """
    if not vessels.any():
        return None
    sides, counts = box_counts(vessels, diameter * SMALLEST, corner)
    x, y = -np.log(sides), np.log(counts)
    x, y = x - x.mean(), y - y.mean()
    spread = float(x @ x)
    slope = float(x @ y) / spread
    residual = y - slope * x
    return Dimension(slope, float(np.sqrt(residual @ residual / (len(x) - 2) / spread)))


def dimension_in(vessels: Mask, disc: Disc) -> Dimension | None:
    """Fit the dimension of an (H, W) map in the square round a retina's disc."""
    corner = (disc.center_x - disc.radius, disc.center_y - disc.radius)
    return box_counting_dimension(vessels, 2 * disc.radius, corner)


def box_counts(vessels: Mask, smallest: float, corner: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return the sides of the boxes in pixels, ascending, and how many of each hold a vessel.

    Parameters
    ----------
    vessels : (H, W) bool array
    smallest : float
        Side of the smallest boxes in pixels; it need not be a whole number.
    corner : tuple of float
        As for `box_counting_dimension`.
    """
    sides, counts = [], []
    for part in range(PER_OCTAVE):
        side = smallest * 2 ** (part / PER_OCTAVE)
        boxes = _boxes(vessels, side, corner)
        for _ in range(OCTAVES + (part == 0)):
            sides.append(side)
            counts.append(np.count_nonzero(boxes))
            side *= 2
            boxes = boxes[::2] | boxes[1::2]
            boxes = boxes[:, ::2] | boxes[:, 1::2]
    order = np.argsort(sides)
    return np.array(sides)[order], np.array(counts, np.float64)[order]


def _boxes(vessels: Mask, side: float, corner: tuple[float, float]) -> Mask:
    """Return which boxes hold a vessel; those of a double side are two by two of them, and so on."""
    height, width = vessels.shape
    rows, columns = _numbers(height, side, corner[1]), _numbers(width, side, corner[0])
    multiple = 2 ** (OCTAVES + 1)
    shape = [-(-(int(numbers[-1]) + 1) // multiple) * multiple for numbers in (rows, columns)]
    boxes = np.zeros(shape, bool)
    row_starts, column_starts = (np.flatnonzero(np.diff(numbers, prepend=-1)) for numbers in (rows, columns))
    held = np.bitwise_or.reduceat(_words(vessels), row_starts, axis=0).view(np.bool_)[:, :width]
    held = np.logical_or.reduceat(held, column_starts, axis=1)
    boxes[np.ix_(rows[row_starts], columns[column_starts])] = held
    return boxes


def _words(vessels: Mask) -> NDArray[np.uint64]:
    """Return an (H, W) map with eight pixels of a row in a word: so rows are joined faster."""
    height, width = vessels.shape
    padded = np.zeros((height, -(-width // 8) * 8), bool)
    padded[:, :width] = vessels
    return padded.view(np.uint64)


def _numbers(length: int, side: float, corner: float) -> NDArray[np.intp]:
    """Return the number of the box that each pixel's centre is in, from 0 or a little more."""
    numbers = np.floor((np.arange(length) - corner) / side).astype(np.intp)
    multiple = 2 ** (OCTAVES + 1)
    return np.asarray(numbers - numbers[0] // multiple * multiple, np.intp)
