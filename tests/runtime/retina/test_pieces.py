import numpy as np
import pytest
from fundus_drawings import disc_mask

from retinagan.runtime.retina.pieces import border_points, frame_edge, main_piece, opened, resized

SHAPE = (60, 80)


def boxes(*spans):
    """A mask with boxes, each given as rows and columns."""
    mask = np.zeros(SHAPE, np.bool_)
    for top, bottom, left, right in spans:
        mask[top:bottom, left:right] = True
    return mask


def test_the_frames_edge_is_its_outermost_pixels():
    inside = np.ones((5, 7), int)
    inside[0], inside[-1], inside[:, 0], inside[:, -1] = 2, 3, 4, 5
    edge = frame_edge(inside)
    assert len(edge) == 2 * (5 + 7)
    assert 1 not in edge
    assert set(edge) == {2, 3, 4, 5}


def test_thin_parts_are_removed_and_thick_ones_kept():
    mask = boxes((20, 40, 20, 50), (29, 31, 50, 75))  # a box with a thin arm
    smooth = opened(mask, 5)
    assert smooth[30, 35]
    assert not smooth[:, 55:].any()
    assert not (smooth & ~mask).any()
    assert mask[29, 60], "the argument is left as it was"


def test_the_frames_edge_does_not_erode_a_piece_that_it_cuts():
    mask = boxes((0, 60, 0, 4), (0, 4, 0, 80))
    np.testing.assert_array_equal(opened(mask, 5)[:, 0], True)
    np.testing.assert_array_equal(opened(mask, 5)[0], True)


def test_the_largest_piece_is_given_without_holes():
    mask = boxes((5, 50, 5, 50), (10, 20, 60, 75))
    mask[20:30, 20:30] = False
    np.testing.assert_array_equal(main_piece(mask), boxes((5, 50, 5, 50)))


def test_nothing_has_no_pieces():
    empty = boxes()
    assert not main_piece(empty).any()
    assert border_points(empty).shape == (0, 2)


def test_border_points_lie_on_the_border_as_x_and_y():
    disc = disc_mask(*SHAPE, 40, 30, 20)
    points = border_points(disc)
    assert points.shape[1] == 2
    np.testing.assert_allclose(np.hypot(*(points - (40, 30)).T), 20, atol=1.5)


def test_points_on_the_frames_edge_say_nothing_of_the_piece():
    x, y = border_points(boxes((0, 60, 30, 80))).T
    assert set(x) == {30}
    assert (y.min(), y.max()) == (3, 56)


def test_there_are_at_most_400_points():
    points = border_points(disc_mask(900, 900, 450, 450, 400))
    assert 200 <= len(points) <= 400


@pytest.mark.parametrize("shape", [(120, 160), (30, 40), SHAPE])
def test_another_size_shows_the_same_piece(shape):
    mask = resized(boxes((20, 40, 20, 60)), shape)
    assert (mask.shape, mask.dtype) == (shape, np.bool_)
    assert mask.mean() == pytest.approx(20 * 40 / (60 * 80), abs=0.01)
    assert mask[shape[0] // 2, shape[1] // 2]
    assert not mask[0, 0]
