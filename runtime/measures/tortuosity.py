"""Tortuosity: how far the way along a vessel exceeds the straight line, and how strongly it bends."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.measures.lines import norms
from retinagan.runtime.measures.network import Network

Floats = NDArray[np.float64]

_PER_CALIBRE = 4  # points of a line along one median calibre
_HALF_WIDTH, _TIMES = 6, 3  # of the moving averages, in points: each is three calibres wide
_STEP = 2  # points between the places whose directions are compared
_LEAST_CALIBRE = 2.0  # pixels: of thinner vessels, the walls' steps count as bends


@dataclass(frozen=True)
class Tortuosity:
    """Tortuosity of S segments; NaN where a segment is too short for it.

    Attributes
    ----------
    arc, chord : (S,) float64 arrays
        Length of the segment outside its junctions, and the straight distance between its ends, in pixels.
    arc_over_chord : (S,) float64 array
        At least 1. NaN for a segment whose arc is shorter than twice its calibre, and for a loop.
    curvature : (S,) float64 array
        Mean absolute curvature, in radians per pixel.
    curved : (S,) float64 array
        The length that `curvature` is the mean over, in pixels.
    """

    arc: Floats
    chord: Floats
    arc_over_chord: Floats
    curvature: Floats
    curved: Floats

    @classmethod
    def of(cls, network: Network, calibre: Floats, median: float) -> Tortuosity:
        """Measure the segments of a network.

        Parameters
        ----------
        network : Network
        calibre : (S,) float64 array
            Mean calibre of each segment, NaN where unknown.
        median : float
            The map's median calibre in pixels, which sets the scale of the bends that are seen: so they are
            the same bends at any resolution and from any camera.
        """
        free = network.free()
        arc, chord = _arc_and_chord(network, free)
        long = (arc >= 2 * calibre) & (chord >= calibre)  # NaN is in no comparison
        ratio = np.full(len(network), np.nan)
        ratio[long] = np.maximum(arc[long] / chord[long], 1)
        return cls(arc, chord, ratio, *_curvature(network, free, max(median, _LEAST_CALIBRE)))


def _arc_and_chord(network: Network, free: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return arc and chord of the free part of each segment, which is one piece."""
    number = np.flatnonzero(free)
    line = network.lines.of_points()[number]
    first, last = np.full(len(network), -1), np.full(len(network), -1)
    last[line] = number
    first[line[::-1]] = number[::-1]
    some = first >= 0
    difference = network.centre[last[some]] - network.centre[first[some]]
    chord = np.zeros(len(network))
    chord[some] = np.hypot(difference[:, 0], difference[:, 1])
    inner = free.copy()
    inner[first[some]] = False  # its step leads to it from outside
    return network.lines.sums(network.steps * inner), chord


def _curvature(network: Network, free: NDArray[np.bool_], calibre: float) -> tuple[Floats, Floats]:
    """Return the mean absolute curvature of each segment, and the length it was measured on."""
    lines, (x, y, freely) = network.lines.resampled(
        network.centre, *network.centre.T, free.astype(np.float64), spacing=calibre / _PER_CALIBRE
    )
    points = lines.twice_smoothed(np.stack([x, y], axis=1), _HALF_WIDTH, _TIMES)
    before, after = lines.places()
    # near an end the averages are too short
    number = np.flatnonzero((freely == 1) & (np.minimum(before, after) >= _HALF_WIDTH))
    before, at, after = (points.T.take(number + step, axis=1) for step in (-_STEP, 0, _STEP))
    behind, ahead = at - before, after - at
    turn = np.arctan2(
        behind[0] * ahead[1] - behind[1] * ahead[0], behind[0] * ahead[0] + behind[1] * ahead[1]
    )
    way = (norms(*ahead) + norms(*behind)) / 2
    line = lines.of_points()[number]
    total = np.bincount(line, np.abs(turn) / _STEP, minlength=len(network))
    curved = np.bincount(line, way / _STEP, minlength=len(network)).astype(np.float64)
    curvature = np.full(len(network), np.nan)
    np.divide(total, curved, out=curvature, where=curved > 0)
    return curvature, curved
