import numpy as np
import pytest
from fundus_drawings import Look, disc_mask, draw_fundus, overlap

from retinagan.runtime.retina.find import find_retina

SHAPE, DISC = (400, 450), (225.0, 200.0, 190.0)


def below_line(angle, distance):
    """True beyond a line at this distance from the disc's centre in this direction (degrees)."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    x, y = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return (columns - DISC[0]) * x + (rows - DISC[1]) * y > distance


@pytest.mark.parametrize("angle", [90, 270, 0, 30, 135])
@pytest.mark.parametrize("distance", [175, 150, 110])
def test_straight_cuts_leave_no_ears(angle, distance):
    hidden = below_line(angle, distance)
    image, mask = draw_fundus(*SHAPE, DISC, Look(), hidden)
    found = find_retina(image).mask
    assert overlap(found, mask) > 0.98
    deep = below_line(angle, distance + 4) & disc_mask(*SHAPE, *DISC)
    assert (found & deep).sum() <= 0.02 * deep.sum()


def test_cuts_above_and_below():
    hidden = below_line(90, 150) | below_line(270, 150)
    image, mask = draw_fundus(*SHAPE, DISC, Look(), hidden)
    found = find_retina(image).mask
    assert overlap(found, mask) > 0.98
    deep = (below_line(90, 154) | below_line(270, 154)) & disc_mask(*SHAPE, *DISC)
    assert (found & deep).sum() <= 0.02 * deep.sum()


def test_a_notch_hides_no_more_than_itself():
    hidden = np.zeros(SHAPE, np.bool_)
    hidden[:60, 205:245] = True
    image, mask = draw_fundus(*SHAPE, DISC, Look(), hidden)
    assert overlap(find_retina(image).mask, mask) > 0.98
