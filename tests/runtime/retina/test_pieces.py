import numpy as np

from retinagan.runtime.retina.pieces import border_points, frame_edge, main_piece, opened, resized


def box(rows, columns, shape=(60, 80)):
    mask = np.zeros(shape, np.bool_)
    mask[slice(*rows), slice(*columns)] = True
    return mask


def test_the_frames_edge_is_its_outermost_rows_and_columns():
    assert sorted(frame_edge(np.arange(9).reshape(3, 3))) == [0, 0, 1, 2, 2, 3, 5, 6, 6, 7, 8, 8]


def test_what_is_thin_goes_and_what_the_frame_cuts_stays():
    thick, thin = box((0, 30), (0, 30)), box((40, 43), (0, 80))
    smooth = opened(thick | thin, 9)
    assert not smooth[40:43].any()
    assert smooth[:20, :20].all()


def test_the_main_piece_is_the_largest_with_its_holes_filled():
    large, hole, small = box((5, 35), (5, 35)), box((15, 20), (15, 20)), box((5, 10), (50, 55))
    np.testing.assert_array_equal(main_piece((large & ~hole) | small), large)
    assert not main_piece(np.zeros((9, 9), np.bool_)).any()


def test_border_points_leave_out_the_frames_edge():
    points = border_points(box((10, 60), (10, 40)))
    assert {tuple(point) for point in points} >= {(10.0, 10.0), (39.0, 10.0)}
    assert points[:, 1].max() < 57
    assert border_points(np.zeros((9, 9), np.bool_)).shape == (0, 2)
    assert len(border_points(box((5, 995), (5, 995), (1000, 1000)))) <= 400


def test_a_mask_at_another_size():
    np.testing.assert_array_equal(
        resized(box((0, 30), (0, 80)), (120, 160)), box((0, 60), (0, 160), (120, 160))
    )
