"""The segments of a map one by one: where each runs, how wide it is and how it bends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.measures.network import Network
from retinagan.runtime.measures.quantities import Quantity, Scale
from retinagan.runtime.measures.regions import QUADRANTS, RINGS, Regions
from retinagan.runtime.measures.tortuosity import Tortuosity

Floats = NDArray[np.float64]

JUNCTION, END, RIM, LOOP = "junction", "end", "rim", "loop"
"""Where a segment ends: at other segments, within the retina, where the field of view ends, or at itself."""

_NEAR = 2.0  # pixels, besides the calibre, that an end at the rim may lie inside

SEGMENT_QUANTITIES = (
    Quantity("length", 1),
    Quantity("chord", 1),
    Quantity("calibre", 1),
    Quantity("arc_over_chord"),
    Quantity("curvature", -1),
)
SEGMENT_COLUMNS = tuple(column for quantity in SEGMENT_QUANTITIES for column in quantity.columns())


@dataclass(frozen=True)
class Segment:
    """A piece of a vessel between two junctions or ends. Values are in pixels; None where it is too short.

    Attributes
    ----------
    start, end : tuple of float
        Places (x, y) in the image.
    start_at, end_at : {"junction", "end", "rim", "loop"}
        What is there.
    ring, quadrant : str
        The region of its middle, of `RINGS` and `QUADRANTS`.
    length : float
        From node to node.
    chord : float or None
        Straight distance between the ends of its free part, which is outside the junctions' discs.
    calibre : float or None
        Mean width of the free part.
    arc_over_chord : float or None
        Length of the free part over its chord.
    curvature : float or None
        Mean absolute curvature, in radians per pixel.
    """

    start: tuple[float, float]
    end: tuple[float, float]
    start_at: str
    end_at: str
    ring: str
    quadrant: str
    length: float
    chord: float | None
    calibre: float | None
    arc_over_chord: float | None
    curvature: float | None

    def in_units(self, scale: Scale) -> dict[str, float | None]:
        """Return the values in all units, by column."""
        values = vars(self)
        return {
            column: value
            for quantity in SEGMENT_QUANTITIES
            for column, value in quantity.in_units(values[quantity.name], scale)
        }


def segments_of(
    network: Network, calibre: Floats, tortuosity: Tortuosity, at: NDArray[np.str_], regions: Regions
) -> Iterator[Segment]:
    """Yield the segments of a network.

    Parameters
    ----------
    network : Network
        Of S segments.
    calibre : (S,) array
        Their mean calibres; NaN where unknown.
    tortuosity : Tortuosity
    at : (S, 2) array
        By `kinds_of_ends`.
    regions : Regions
    """
    first, last = network.lines.ends()
    ring, quadrant = regions.of(network.centre[(first + last) // 2])
    chord = np.where(tortuosity.chord > 0, tortuosity.chord, np.nan)
    columns = (chord, calibre, tortuosity.arc_over_chord, tortuosity.curvature)
    rows = zip(
        network.positions.tolist(),
        at.tolist(),
        ring.tolist(),
        quadrant.tolist(),
        network.lengths().tolist(),
        *([None if value != value else value for value in column.tolist()] for column in columns),  # NaN
        strict=True,
    )
    for (start, end), (start_at, end_at), ring_number, quadrant_number, *values in rows:
        places = RINGS[ring_number], QUADRANTS[quadrant_number]
        yield Segment((start[0], start[1]), (end[0], end[1]), start_at, end_at, *places, *values)


def kinds_of_ends(network: Network, roi: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Return what is at both ends of each segment, (S, 2).

    Parameters
    ----------
    network : Network
    roi : (H, W) bool array
        The field of view. A free end not farther from its border than the vessel is wide is at the rim: there
        the vessel goes on where the camera does not see it.
    """
    kinds = np.full(network.degrees.shape, JUNCTION, dtype="<U8")
    kinds[network.degrees == 2] = LOOP
    padded = cv2.copyMakeBorder(roi.view(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inside = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_3)[1:-1, 1:-1]
    for side in (0, 1):
        x, y = network.positions[:, side].astype(np.intp).T
        at_rim = inside[y, x] <= 2 * network.radii[:, side] + _NEAR
        free = network.degrees[:, side] == 1
        kinds[free, side] = np.where(at_rim[free], RIM, END)
    return kinds
