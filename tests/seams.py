"""Measure the seams that patches leave in a regrouped map."""

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.steps.patches import PatchGrid


def border_ratio(values: NDArray[np.float32], grid: PatchGrid, roi: NDArray[np.bool_] | None = None) -> float:
    """Compare the difference between neighbours at patch borders with the difference elsewhere.

    The border covers the two pixels on its sides and their neighbours: patches that differ leave a step, but
    the network's padding may also bend both sides alike, into a ridge.

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
        Mean absolute difference between neighbouring pixels at patch borders, divided by that between all
        others. About 1 without seams; exactly 1 where nothing can be compared (one patch, or a constant
        map); infinite if pixels differ at borders alone.

    Raises
    ------
    ValueError
        If the map is not of the grid's size.
    """
    if values.shape != (grid.size, grid.size):
        raise ValueError(f"got a map of shape {values.shape}; the grid regroups ({grid.size}, {grid.size})")
    edges = np.concatenate([grid.starts, grid.starts + grid.side])
    across = edges[(edges > 0) & (edges < grid.size)] - 1
    pairs = np.arange(grid.size - 1)
    at_border = np.isin(pairs, np.concatenate([across - 1, across, across + 1]))
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
