import numpy as np

from retinagan.runtime.measures.skeleton import PixelGraph
from retinagan.runtime.measures.tracing import traced


def lines_of(*rows):
    """Trace a drawing; give each line as its (x, y), the end that comes first in the picture at its start."""
    graph = PixelGraph.of(np.array([[cell == "#" for cell in row] for row in rows]))
    pixels, lines = traced(graph)
    places = list(zip(graph.x[pixels].tolist(), graph.y[pixels].tolist(), strict=True))
    found = [places[a:b] for a, b in zip(lines.offsets[:-1], lines.offsets[1:], strict=True)]
    return sorted(min(line, line[::-1]) for line in found)


def test_a_line_is_followed_from_end_to_end():
    assert lines_of("#....", ".##..", "...##") == [[(0, 0), (1, 1), (2, 1), (3, 2), (4, 2)]]


def test_three_lines_meet_at_a_junction():
    found = lines_of("#...#", ".#.#.", "..#..", "..#..", "..#..")
    assert [line[0] for line in found] == [(0, 0), (2, 2), (2, 2)]
    assert sorted(len(line) for line in found) == [3, 3, 3]
    assert all((2, 2) in (line[0], line[-1]) for line in found)


def test_a_ring_starts_and_ends_at_one_pixel():
    (ring,) = lines_of(".##.", "#..#", ".##.")
    assert ring[0] == ring[-1]
    assert len(set(ring)) == 6


def test_rings_beside_each_other_are_all_found():
    assert len(lines_of(".#...#.", "#.#.#.#", ".#...#.")) == 2


def test_a_loop_on_a_stalk_is_one_line_of_its_own():
    found = lines_of("..#..", ".#.#.", "..#..", "..#..", "..#..")
    assert sorted(len(line) for line in found) == [3, 5]


def test_pixels_without_neighbours_are_in_no_line():
    assert lines_of("#..", "...", "..#") == []


def test_an_empty_picture_has_no_lines():
    assert lines_of("...", "...") == []
