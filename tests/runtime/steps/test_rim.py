import numpy as np
import pytest

from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.retina.find import Retina
from retinagan.runtime.steps.crop import square_crop
from retinagan.runtime.steps.rim import Rim, with_rim


def retina_of(radius, margin=20):
    """A retina in the middle of a frame, whose middle row it crosses."""
    middle, side = radius + margin, 2 * (radius + margin) + 1
    disc = Disc(middle, middle, radius)
    return Retina(disc.drawn((side, side)), disc)


def cropped(retina, working_size):
    return square_crop(retina.disc, retina.mask.shape, working_size)


@pytest.mark.parametrize(("radius", "width"), [(30, 0), (260, 1), (500, 2), (1500, 6)])
def test_the_rim_is_a_share_of_the_radius(radius, width):
    retina = retina_of(radius)
    kept = retina.mask.copy()
    wide = with_rim(retina, cropped(retina, 512))
    np.testing.assert_array_equal(retina.mask, kept)
    assert wide.dtype == np.bool_
    assert wide[retina.mask].all()
    assert wide.sum() <= Disc(radius + 20, radius + 20, radius + 1.5 * width).drawn(wide.shape).sum()
    square = cropped(retina, 512)
    inside = np.zeros_like(wide)
    inside[square.in_image] = True
    assert not wide[~inside].any()
    diagonal = np.diagonal(wide).sum() - np.diagonal(retina.mask).sum()
    assert 2 * 0.7 * width - 2 <= diagonal <= 2 * width + 2


def test_a_retina_that_fills_the_frame_stays_as_it_is():
    full = Retina(np.ones((400, 600), np.bool_), Disc(300, 200, 361))
    assert with_rim(full, cropped(full, 512)).all()


def test_a_vessel_goes_on_over_the_rim():
    retina = retina_of(150)  # its rim is 1 pixel wide
    crop = cropped(retina, 301)
    roi = crop.cut_mask(retina.mask)
    probability = np.full(roi.shape, 0.7, np.float32)  # outside, what the network says is of no meaning
    probability[roi] = 0.1
    vessel = np.eye(len(roi), dtype=np.float32) > 0
    for shift in (-2, -1, 1, 2):
        vessel |= np.eye(len(roi), k=shift) > 0
    probability[vessel & roi] = 0.9
    spread = Rim.of(roi, retina, crop).spread(probability)
    np.testing.assert_array_equal(spread[roi], probability[roi])
    last = np.flatnonzero(np.diagonal(roi))[-1]
    assert spread[last + 1, last + 1] > 0.5
    assert not spread[last + 4, last + 4]
    assert spread.dtype == np.float32


@pytest.mark.parametrize("working_size", [256, 608, 2048])
@pytest.mark.parametrize("radius", [20, 50, 280, 1500])
def test_the_rim_is_as_sure_as_what_lies_beside_it_at_all_sizes(radius, working_size):
    retina = retina_of(radius)
    crop = cropped(retina, working_size)
    roi = crop.cut_mask(retina.mask)
    restored = crop.restore(Rim.of(roi, retina, crop).spread(roi.astype(np.float32)))
    wide = with_rim(retina, crop)
    assert restored[retina.mask].mean() > 0.995
    rim = wide & ~retina.mask
    assert not rim.any() or restored[rim].mean() > 0.85
