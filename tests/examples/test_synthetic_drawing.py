import numpy as np
import pytest
from synthetic_drawing import LABELLED_WIDTH, View, draw_vessels
from synthetic_vessels import Vessel

VIEW = View(80, 120, (10.0, 10.0), (60.0, 40.0))
LEFT = View(80, 120, (-10.0, 10.0), (60.0, 40.0))


def line(width, *, artery=False, y=1.0, length=8.0):
    """A straight vessel along x, `y` degrees below the optic disc."""
    points = np.stack([np.linspace(-length / 2, length / 2, 60), np.full(60, y)], axis=1)
    return Vessel(points=points, width=np.full(60, width), artery=artery)


def drawn(*vessels, view=VIEW):
    return draw_vessels(np.random.default_rng(0), list(vessels), view)


def test_degrees_fall_on_pixels_and_back():
    points = np.array([[0.0, 0.0], [1.0, -2.0]])
    np.testing.assert_array_equal(VIEW.pixels(points), [[60, 40], [70, 20]])
    np.testing.assert_array_equal(LEFT.pixels(points), [[60, 40], [50, 20]])
    x, y = LEFT.degrees()
    assert (x.shape, y.shape) == ((1, 120), (80, 1))
    assert (x[0, 50], y[20, 0]) == (1.0, -2.0)


def test_no_vessels_leave_the_frame_empty():
    empty = drawn()
    assert not empty.truth.any()
    for density in (empty.veins, empty.arteries, empty.reflex):
        assert density.shape == (80, 120)
        assert not density.any()


@pytest.mark.parametrize("view", [VIEW, LEFT])
def test_a_vessel_lies_where_it_was_put_and_is_as_wide(view):
    truth = drawn(line(0.6), view=view).truth
    rows, columns = np.nonzero(truth)
    assert rows.mean() == pytest.approx(50, abs=0.5)
    assert (columns.min(), columns.max()) == pytest.approx((20, 100), abs=4)
    assert truth[:, 60].sum() == pytest.approx(6, abs=1)


def test_arteries_and_veins_are_kept_apart():
    both = drawn(line(0.5, artery=True, y=-2.0), line(0.5, y=2.0))
    assert both.arteries[20, 60] > 0 == both.arteries[60, 60]
    assert both.veins[60, 60] > 0 == both.veins[20, 60]
    assert both.truth[20, 60]
    assert both.truth[60, 60]


def test_a_vein_takes_more_light_than_an_artery_and_a_wide_vessel_more_than_a_fine_one():
    wide, fine, artery = (drawn(vessel) for vessel in (line(0.6), line(0.3), line(0.6, artery=True)))
    assert wide.veins.max() > fine.veins.max() > 0.1
    assert wide.veins.max() > artery.arteries.max()
    assert wide.veins.max() <= 1


def test_the_blood_is_deepest_in_the_middle():
    column = drawn(line(0.8)).veins[:, 60]
    assert column.argmax() == pytest.approx(50, abs=1)
    assert column[50] > column[47] > 0


def test_what_no_expert_would_mark_is_drawn_and_not_in_the_truth():
    fine = drawn(line(0.9 * LABELLED_WIDTH), view=View(80, 120, (20.0, 20.0), (60.0, 40.0)))
    assert fine.veins.max() > 0.02
    assert not fine.truth.any()


def test_what_is_less_than_a_pixel_wide_is_not_in_the_truth():
    assert not drawn(line(0.09)).truth.any()
    assert drawn(line(0.12)).truth.any()


def test_light_is_thrown_back_by_wide_arteries():
    assert drawn(line(0.4, artery=True)).reflex.max() > 0.2
    assert drawn(line(0.15, artery=True)).reflex.max() == 0
