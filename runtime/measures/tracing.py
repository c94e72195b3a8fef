"""Follow the lines of a skeleton from node to node."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retinagan.runtime.measures.lines import Lines
from retinagan.runtime.measures.skeleton import PixelGraph

Ints = NDArray[np.intp]


def traced(graph: PixelGraph) -> tuple[Ints, Lines]:
    """Follow all lines of a graph.

    A line runs from one node to the next. Nodes are the pixels with one neighbour, or with three or more; in
    a ring without any, one pixel is chosen. A node belongs to each line that ends there. Pixels without
    neighbours belong to none.

    Parameters
    ----------
    graph : PixelGraph

    Returns
    -------
    pixels : (N,) int array
        Numbers of the graph's pixels, in order along each line, one line after the other.
    lines : Lines
        Where in `pixels` each line begins.
    """
    source = np.concatenate([graph.first, graph.second])  # each pair of neighbours gives two steps
    target = np.concatenate([graph.second, graph.first])
    steps = _Steps(source, target, graph.degrees())
    is_node = steps.degrees != 2
    pixels, offsets = steps.follow(is_node)
    on_rings = ~is_node
    on_rings[pixels] = False
    while on_rings.any():
        chosen = np.zeros(len(is_node), bool)
        chosen[np.flatnonzero(on_rings)[0]] = True
        ring, ends = steps.follow(chosen)
        on_rings[ring] = False
        offsets = np.concatenate([offsets, ends[1:] + len(pixels)])
        pixels = np.concatenate([pixels, ring])
    return pixels, Lines(offsets)


class _Steps:
    """All steps from a pixel to a neighbour, in both directions."""

    def __init__(self, source: Ints, target: Ints, degrees: Ints) -> None:
        self.degrees = degrees
        self._source, self._target = source, target
        self._backward = np.roll(np.arange(len(source)), len(source) // 2)
        self._order = np.argsort(source, kind="stable")
        self._leaving = np.cumsum(degrees) - degrees  # where the steps of each pixel begin in the order

    def follow(self, is_node: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Follow the lines from all nodes at once, a pixel a turn; each is kept in one of its directions."""
        first = np.flatnonzero(is_node[self._source])  # the steps that leave a node
        last = first.copy()
        line, step = np.arange(len(first)), first
        lines, pixels = [line], [self._source[first]]
        while len(step):
            pixel = self._target[step]
            lines.append(line)
            pixels.append(pixel)
            arrived = is_node[pixel]
            last[line[arrived]] = step[arrived]
            line, step, pixel = line[~arrived], step[~arrived], pixel[~arrived]
            one, other = self._order[self._leaving[pixel]], self._order[self._leaving[pixel] + 1]
            step = np.where(one == self._backward[step], other, one)
        kept = first <= self._backward[last]
        line, pixel = np.concatenate(lines), np.concatenate(pixels)
        order = np.argsort(line, kind="stable")  # within a line, turns are in order already
        order = order[kept[line[order]]]
        sizes = np.bincount(line[order], minlength=len(first))[kept]
        return pixel[order], np.concatenate([[0], np.cumsum(sizes)])
