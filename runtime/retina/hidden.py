"""The parts of a disc that the camera hides: notches and straight cuts, as dark as the margin."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.retina.disc import Disc, look_at_rim
from retinagan.runtime.retina.pieces import Gray, Mask, opened

_CORE = 0.97  # of the radius: what lies further out is the rim
_STRAIGHT = 0.9  # share of a cut's edge that lies within `_LINE_TOLERANCE` pixels of one line
_LINE_TOLERANCE = 2.0
_SHORTEST_CUT = 0.25  # of the radius: the edge of a shorter one is a notch's side


def hidden_parts(signal: Gray, disc: Disc) -> Mask:
    """Find the parts of a disc that are as dark as the margin, open on its rim and sharply bounded.

    Retina that fades into the dark has a soft boundary and is kept. A part with one straight edge is a cut
    through the field of view: all of the disc beyond that line is hidden, including its thin corners.

    Parameters
    ----------
    signal : (H, W) float32
        Grey levels, bright inside the disc.
    disc : Disc
        The field of view.

    Returns
    -------
    (H, W) bool
        True where the disc is hidden.
    """
    rim = look_at_rim(signal, disc)
    step = rim.inside - rim.outside
    if step < 20:  # too faint to tell a notch from a vessel that leaves over the rim
        return np.zeros(signal.shape, np.bool_)
    level = rim.outside + max(4.0, 0.12 * step)
    drawn = disc.drawn(signal.shape)
    dark = opened(drawn & (signal < level), max(3, round(0.04 * disc.radius)))
    core = Disc(disc.center_x, disc.center_y, _CORE * disc.radius).drawn(signal.shape)
    hidden = np.zeros_like(dark)
    count, labels = cv2.connectedComponents(dark.view(np.uint8))
    for label in range(1, count):
        part = labels == label
        inner, outer = (cv2.dilate(part.view(np.uint8), np.ones((n, n), np.uint8)) > 0 for n in (9, 13))
        around = signal[outer & ~inner & core]
        open_on_rim = bool((part & ~core).any())
        if open_on_rim and around.size and np.median(around) > rim.outside + 0.5 * step:
            hidden |= part | (drawn & _beyond_straight_edge(part, core, disc))
    return hidden


def _beyond_straight_edge(part: Mask, core: Mask, disc: Disc) -> Mask:
    """Return the side of the frame that a straight cut hides; nothing if the part's edge is not straight."""
    edge = part & core & (cv2.erode(part.view(np.uint8), np.ones((3, 3), np.uint8)) == 0)
    rows, columns = np.nonzero(edge)
    nothing = np.zeros(part.shape, np.bool_)
    if len(rows) < max(8.0, _SHORTEST_CUT * disc.radius):
        return nothing
    points = np.stack([columns, rows], axis=1).astype(np.float32)
    line = np.asarray(cv2.fitLine(points, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel(), np.float32)
    on_line = np.abs(_distance(points[:, 0], points[:, 1], line)) <= _LINE_TOLERANCE
    if float(on_line.mean()) < _STRAIGHT:
        return nothing
    grid_rows, grid_columns = np.ogrid[: part.shape[0], : part.shape[1]]
    side = _distance(grid_columns.astype(np.float32), grid_rows.astype(np.float32), line)
    return np.asarray(side >= 0 if float(side[part].mean()) > 0 else side <= 0)


def _distance(x: Gray, y: Gray, line: NDArray[np.float32]) -> Gray:
    """Return the signed distance of points from a line (dx, dy, x0, y0), in pixels."""
    dx, dy, x0, y0 = line
    return np.asarray(dx * (y - y0) - dy * (x - x0), np.float32)
