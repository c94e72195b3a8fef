import numpy as np
import pytest

from retinagan.runtime.measures.walls import WallDistance


@pytest.mark.parametrize("width", [2.5, 4, 7.3, 15])
@pytest.mark.parametrize("degrees", [0, 17, 45, 71])
def test_the_width_of_a_straight_vessel_at_any_angle(width, degrees):
    angle = np.deg2rad(degrees)
    normal = np.array([-np.sin(angle), np.cos(angle)])
    y, x = np.mgrid[:121, :121] - 60.0
    along = np.linspace(-35, 35, 300)[:, None] * [np.cos(angle), np.sin(angle)]
    found = []
    for shift in (0.05, 0.3, 0.55, 0.8):  # along an axis, the grid shows only whole pixels
        vessels = np.abs(x * normal[0] + y * normal[1] - shift) <= width / 2
        points = 60 + along + shift * normal
        found.append(WallDistance.of(vessels).across(points, np.tile(normal, (300, 1)))[0].mean())
    assert np.mean(found) == pytest.approx(width, abs=0.3)


def test_a_place_beside_the_middle_learns_how_far():
    vessels = np.zeros((60, 60), bool)
    vessels[25:34] = True  # its middle is at 29
    points = np.array([[30, 28.7], [30, 29.2]])
    width, offset = WallDistance.of(vessels).across(points, np.array([[0, 1.0], [0, 1.0]]))
    assert width == pytest.approx([9, 9], abs=0.3)
    assert offset == pytest.approx([0.3, -0.2], abs=0.1)


def test_no_places_and_many():
    walls = WallDistance.of(np.ones((40, 40), bool))
    assert walls.at(np.zeros((0, 2))).shape == (0,)
    assert walls.at(np.full((70_000, 2), 20.0)).shape == (70_000,)
