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
    steps = _Steps(graph)
    is_node = graph.degrees() != 2
    leave_nodes = is_node[steps.source]
    pixels, offsets = steps.followed(np.flatnonzero(leave_nodes), np.flatnonzero(~leave_nodes))
    on_rings = ~is_node
    on_rings[pixels] = False
    if on_rings.any():
        ring, ends = steps.followed(*steps.of_rings(on_rings))
        offsets = np.concatenate([offsets, ends[1:] + len(pixels)])
        pixels = np.concatenate([pixels, ring])
    return pixels, Lines(offsets)


class _Steps:
    """All steps from a pixel to a neighbour: each of E pairs gives step n and, back, step n + E.

    Steps are numbered, and the way along all lines at once is found by pointer jumping: each step knows one
    before it and how far that is; in a round it takes over what that one knows, so distances double.

    References
    ----------
    J. C. Wyllie, "The Complexity of Parallel Computations", Cornell University, 1979,
    https://hdl.handle.net/1813/7502
    """

    def __init__(self, graph: PixelGraph) -> None:
        self.source = np.concatenate([graph.first, graph.second])
        self.target = np.concatenate([graph.second, graph.first])
        number = np.arange(len(self.source))
        self._back = np.roll(number, len(number) // 2)
        # of the two steps that leave a pixel within a line, the other is their sum less the one
        sums = np.bincount(self.source, number).astype(np.intp)
        other = sums.take(self.source) - number
        degrees = graph.degrees()
        self._before = np.where(degrees[self.source] == 2, self._back.take(other, mode="clip"), number)

    def followed(self, first: Ints, others: Ints) -> tuple[Ints, Ints]:
        """Return the pixels of the lines that begin with these steps, and where each of them begins.

        The lines go on with the other steps. Both directions of each are there, of which the one whose first
        step has the lower number is kept.
        """
        line = np.full(len(self.source), -1)
        line[first] = np.arange(len(first))
        before, place = self._before.copy(), np.ones(len(line), np.intp)
        before[first], place[first] = first, 0
        going = others
        for _ in range(len(line).bit_length()):  # what has not arrived by then is on a ring
            going = going[line[before[going]] < 0]
            if not len(going):
                break
            to = before[going]
            place[going], before[going] = place[going] + place[to], before[to]
        line = line[before]
        arrived = np.zeros(int(self.source.max(initial=-1)) + 1, bool)
        arrived[self.source[first]] = True
        last = np.flatnonzero(arrived[self.target] & (line >= 0))
        ends = np.empty(len(first), np.intp)
        ends[line[last]] = last
        kept = np.flatnonzero(first <= self._back[ends])
        offsets = np.concatenate([[0], np.cumsum(place[ends[kept]] + 2)])
        begin = np.full(len(first) + 1, -1)  # the last for steps on rings
        begin[kept] = offsets[:-1]
        begin = begin[line]
        pixels = np.empty(offsets[-1], np.intp)
        pixels[offsets[:-1]] = self.source[first[kept]]
        known = np.flatnonzero(begin >= 0)
        pixels[begin[known] + place[known] + 1] = self.target[known]
        return pixels, offsets

    def of_rings(self, on_rings: NDArray[np.bool_]) -> tuple[Ints, Ints]:
        """Return the two steps that leave the first pixel of each ring, ring by ring, and the other steps."""
        step = np.flatnonzero(on_rings[self.source])
        before, lowest = self._before.copy(), self.source.copy()
        for _ in range(len(step).bit_length()):
            to = before[step]
            lowest[step], before[step] = np.minimum(lowest[step], lowest[to]), before[to]
        is_first = lowest[step] == self.source[step]
        first = step[is_first]
        return first[np.argsort(self.source[first], kind="stable")], step[~is_first]
