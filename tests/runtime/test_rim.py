import numpy as np
import pytest

from retinagan.runtime.disc import Disc
from retinagan.runtime.rim import spread_over_rim, with_rim
from retinagan.runtime.roi import Retina


@pytest.mark.parametrize(("radius", "width"), [(30, 1), (250, 1), (500, 2)])
def test_the_rim_is_a_share_of_the_radius_and_a_pixel_at_least(radius, width):
    shape = (2 * radius + 41, 2 * radius + 41)
    disc = Disc(radius + 20, radius + 20, radius)
    mask = disc.drawn(shape)
    kept = mask.copy()
    wide = with_rim(Retina(mask, disc))
    np.testing.assert_array_equal(mask, kept)
    assert wide.dtype == np.bool_
    assert wide[mask].all()
    middle = wide[radius + 20]
    assert np.flatnonzero(middle)[[0, -1]].tolist() == [20 - width, 2 * radius + 20 + width]
    assert wide.sum() < Disc(radius + 20, radius + 20, radius + 1.5 * width).drawn(shape).sum()


def test_a_retina_that_fills_the_frame_stays_as_it_is():
    full = Retina(np.ones((40, 60), np.bool_), Disc(30, 20, 36))
    assert with_rim(full).all()


def test_a_vessel_goes_on_over_the_rim():
    roi = Disc(50, 50, 40).drawn((101, 101))
    probability = np.full((101, 101), 0.7, np.float32)  # outside, what the network says is of no meaning
    probability[roi] = 0.1
    probability[48:53][roi[48:53]] = 0.9
    spread = spread_over_rim(probability, roi)
    np.testing.assert_array_equal(spread[roi], probability[roi])
    assert spread[50, 91] == spread[50, 92] == pytest.approx(0.9)
    assert spread[10 - 1, 50] == pytest.approx(0.1)
    assert not spread[50, 94:].any()
    assert spread.dtype == np.float32
