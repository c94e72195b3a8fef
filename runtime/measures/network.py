"""The network of a map's vessels: segments between junctions and ends, without the spurs of thinning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.measures.lines import Lines
from retinagan.runtime.measures.skeleton import Mask, PixelGraph, skeletonize
from retinagan.runtime.measures.tracing import traced
from retinagan.runtime.measures.walls import WallDistance

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_HALF_WIDTH = 2  # of the moving averages that take the steps out of a line: five pixels
_CALIBRE_HALF_WIDTH = 5  # pixels: the distance to a wall comes in steps of the grid
_ROUNDS = 8  # a spur can lie on a spur


@dataclass(frozen=True)
class Network:
    """The S segments of a map, with N points in all.

    Attributes
    ----------
    lines : Lines
        The segments.
    nodes : (S, 2) int array
        Numbers of the nodes at the start and at the end of each.
    positions : (S, 2, 2) float64 array
        The (x, y) of both nodes.
    degrees : (S, 2) int array
        How many segments meet at both: 1 at a free end, 2 in a ring.
    radii : (S, 2) float64 array
        Distance from both nodes to the nearest wall, in pixels.
    centre : (N, 2) float64 array
        Points (x, y) of the centreline.
    steps : (N,) float64 array
        Distance to the point before, 0 for the first of a segment.
    calibre : (N,) float64 array
        Width of the vessel, in pixels.
    """

    lines: Lines
    nodes: Ints
    positions: Floats
    degrees: Ints
    radii: Floats
    centre: Floats
    steps: Floats
    calibre: Floats

    @classmethod
    def of(cls, vessels: Mask) -> Network:
        """Find the network of an (H, W) map.

        A branch of the skeleton that reaches no further beyond the vessel it leaves than it is wide is a spur
        of a rough wall, and a piece that is no longer than wide is a speck: both are left out.
        """
        walls, skeleton = WallDistance.of(vessels), skeletonize(vessels)
        for _ in range(_ROUNDS):
            graph = PixelGraph.of(skeleton)
            pixels, lines = traced(graph)
            network = cls._of_lines(graph, pixels, lines, walls)
            gone = pixels[network._on_spurs()]
            if not len(gone):
                break
            skeleton[graph.y[gone], graph.x[gone]] = False
        return network

    @classmethod
    def _of_lines(cls, graph: PixelGraph, pixels: Ints, lines: Lines, walls: WallDistance) -> Network:
        points = np.stack([graph.x[pixels], graph.y[pixels]], axis=1).astype(np.float64)
        ends = np.stack(lines.ends(), axis=1)
        nodes = pixels[ends]
        centre = lines.smoothed(points, _HALF_WIDTH, times=2)
        normals = lines.normals(centre)
        width, offset = walls.across(centre, normals)
        centre = lines.twice_smoothed(centre + offset[:, None] * normals, _HALF_WIDTH)
        return cls(
            lines,
            nodes,
            points[ends],
            graph.degrees()[nodes],
            np.stack([walls.at(points[end]) for end in lines.ends()], axis=1),
            centre,
            lines.steps(centre),
            lines.smoothed(width, _CALIBRE_HALF_WIDTH),
        )

    def __len__(self) -> int:
        return len(self.lines)

    def lengths(self) -> Floats:
        """Return the length of each segment from node to node, in pixels, (S,)."""
        return self.lines.sums(self.steps)

    def free(self) -> NDArray[np.bool_]:
        """Return which points lie outside the junctions, (N,).

        Within a junction's largest inscribed disc, the centreline of a branch runs to that of its parent, and
        the nearest wall is the parent's.
        """
        line = self.lines.of_points()
        along = np.cumsum(self.steps)
        along -= along[self.lines.offsets[:-1]].take(line)
        reach = np.where(self.degrees > 2, self.radii, -1.0)
        start, end = (radius.take(line) for radius in reach.T)
        free = (along > start) & (self.lengths().take(line) - along > end)
        return np.asarray(free, np.bool_)

    def junctions(self) -> Floats:
        """Return the points (x, y) where three segments or more meet, (J, 2).

        Junctions with less way between them than the vessel is wide there are one: two vessels that cross
        give two junctions of the skeleton.
        """
        at_junction = self.degrees > 2
        bridges = at_junction.all(axis=1) & (self.lengths() < 2 * self.radii.max(axis=1))
        leaving = at_junction & ~bridges[:, None]
        group = _joined(self.nodes[bridges], int(self.nodes.max(initial=-1)) + 1)[self.nodes[leaving]]
        count = np.bincount(group)
        sums = np.stack([np.bincount(group, axis) for axis in self.positions[leaving].T], axis=1)
        met = count > 2
        return np.asarray(sums[met] / count[met, None], np.float64)

    def _on_spurs(self) -> NDArray[np.bool_]:
        """Return which points to remove: specks, and spurs without their junction, (N,)."""
        free = self.free()
        beyond = self.lines.sums(self.steps * free)
        width = self.lines.sums(self.calibre * free) / np.maximum(self.lines.sums(free), 1)
        is_twig = (self.degrees == 1).any(axis=1) & (self.degrees != 2).all(axis=1)
        spurs = (is_twig & (beyond <= width))[self.lines.of_points()]
        for end, degree in zip(self.lines.ends(), self.degrees.T, strict=True):
            spurs[end[degree > 2]] = False
        return np.asarray(spurs, np.bool_)


def _joined(pairs: Ints, count: int) -> Ints:
    """Return a number for each of `count` nodes, the same for all that pairs connect."""
    group = np.arange(count)
    while True:
        before = group.copy()
        smaller = np.minimum(group[pairs[:, 0]], group[pairs[:, 1]])
        for side in (0, 1):
            np.minimum.at(group, pairs[:, side], smaller)
        if (group == before).all():
            return group
