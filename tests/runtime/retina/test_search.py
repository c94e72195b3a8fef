import numpy as np
import pytest
from fundus_drawings import disc_mask

from retinagan.runtime.retina.search import agreement, find_disc, thresholds


def signal(disc, inside=150.0, outside=5.0, shape=(400, 512)):
    return np.where(disc_mask(*shape, *disc), inside, outside).astype(np.float32)


@pytest.mark.parametrize("disc", [(250, 200, 180), (100, 150, 60), (256, 200, 240)])
def test_a_bright_disc_is_found_where_it_is(disc):
    found = find_disc(signal(disc))
    assert (found.center_x, found.center_y, found.radius) == pytest.approx(disc, abs=1.0)


def test_there_is_none_where_a_circle_explains_nothing():
    square = np.full((400, 512), 5, np.float32)
    square[100:300, 150:350] = 150
    assert find_disc(square) is None
    assert find_disc(np.full((400, 512), 90, np.float32)) is None


def test_a_bright_spot_on_a_bright_ground_is_no_field_of_view():
    assert find_disc(signal((250, 200, 60), inside=230.0, outside=150.0)) is None


def test_thresholds_lie_between_the_darkest_and_the_brightest_the_middle_first():
    levels = thresholds(signal((250, 200, 180)))
    assert len(levels) == 12
    assert min(levels) == pytest.approx(8)
    assert max(levels) == pytest.approx(120)
    assert sorted(levels)[5] == levels[0]


def test_agreement_is_intersection_over_union():
    one, other = np.array([True, True, False]), np.array([False, True, True])
    assert agreement(one, other) == pytest.approx(1 / 3)
    assert agreement(one, one) == 1.0
