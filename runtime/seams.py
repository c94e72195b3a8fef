"""Measure of the seams that patches leave in a regrouped map."""

import numpy as np
from numpy.typing import NDArray
from retinagan.runtime.patches import PatchGrid


def border_ratio(values: NDArray[np.float32], grid: PatchGrid, roi: NDArray[np.bool_] | None = None) -> float:
    """Compare the difference across patch borders with the difference elsewhere.

    Parameters
    ----------
    values : (S, S) float array
        A map regrouped by `grid`.
    grid : PatchGrid
        How it was cut.
    roi : (S, S) bool array, optional
        Only pairs of neighbours that both lie in it are counted.

    Returns
    -------
    float
        Mean absolute difference between neighbouring pixels on two sides of a patch's border, divided by
        that between all other neighbours. About 1 without seams; exactly 1 where nothing can be compared
        (one patch, or a constant map); infinite if only borders differ.

    Raises
    ------
    ValueError
        If the map is not of the grid's size.
    """
    if values.shape != (grid.size, grid.size):
        raise ValueError(f"got a map of shape {values.shape}; the grid regroups ({grid.size}, {grid.size})")
    edges = np.concatenate([grid.starts, grid.starts + grid.side])
    at_border = np.zeros(grid.size - 1, bool)
    at_border[edges[(edges > 0) & (edges < grid.size)] - 1] = True
    inside = np.ones(values.shape, bool) if roi is None else roi

    border, elsewhere = [], []
    for axis_values, axis_inside in ((values, inside), (values.T, inside.T)):
        difference = np.abs(np.diff(axis_values.astype(np.float64), axis=0))
        counted = axis_inside[1:] & axis_inside[:-1]
        border.append(difference[at_border][counted[at_border]])
        elsewhere.append(difference[~at_border][counted[~at_border]])
    return _ratio(np.concatenate(border), np.concatenate(elsewhere))


def _ratio(border: NDArray[np.float64], elsewhere: NDArray[np.float64]) -> float:
    if not border.size or not elsewhere.size:
        return 1.0
    over, under = float(border.mean()), float(elsewhere.mean())
    if under == 0.0:
        return 1.0 if over == 0.0 else float("inf")
    return over / under
