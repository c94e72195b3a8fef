import numpy as np
import pytest
from fundus_drawings import disc_mask

from retinagan.runtime.retina.disc import Disc, fit_disc, look_at_rim, sharpen_disc

RADII = (5.0, 500.0)


def arc(x, y, radius, start, stop, count):
    angles = np.linspace(start, stop, count)
    return np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=1)


def step(height, width, disc, inside=150.0, outside=10.0):
    return np.where(disc_mask(height, width, *disc), inside, outside).astype(np.float32)


def test_fit_of_points_on_a_circle():
    disc = fit_disc(arc(40.5, -12.25, 60, 0, 6, 100), RADII)
    assert (disc.center_x, disc.center_y, disc.radius) == pytest.approx((40.5, -12.25, 60), abs=1e-6)


def test_fit_ignores_points_of_something_else():
    random = np.random.default_rng(0)
    straight = np.stack([np.linspace(0, 200, 120), np.full(120, 150.0)], axis=1)
    points = np.concatenate([arc(100, 100, 80, 3, 6.5, 200), straight, random.uniform(0, 200, (60, 2))])
    disc = fit_disc(points, RADII)
    assert (disc.center_x, disc.center_y, disc.radius) == pytest.approx((100, 100, 80), abs=0.5)


@pytest.mark.parametrize(
    "points",
    [
        np.empty((0, 2)),
        arc(0, 0, 60, 0, 6, 7),
        arc(0, 0, 3, 0, 6, 100),
        arc(0, 0, 900, 0, 6, 100),
        np.stack([np.arange(50.0), np.arange(50.0)], axis=1),
        np.zeros((50, 2)),
    ],
    ids=["none", "too few", "too small", "too large", "on a line", "all the same"],
)
def test_no_circle(points):
    assert fit_disc(points, RADII) is None


def test_sharpening_finds_the_step():
    signal = step(300, 320, (150.4, 140.7, 110.2))
    disc = Disc(151.5, 141.5, 112.5)
    for _ in range(3):
        disc = sharpen_disc(signal, disc, RADII)
    assert (disc.center_x, disc.center_y, disc.radius) == pytest.approx((150.4, 140.7, 110.2), abs=0.15)


def test_sharpening_leaves_a_disc_without_a_step():
    disc = Disc(100, 100, 50)
    assert sharpen_disc(np.full((200, 200), 90, np.float32), disc, RADII) == disc


def test_rim_of_a_clear_disc():
    rim = look_at_rim(step(200, 200, (100, 100, 60)), Disc(100, 100, 60))
    assert rim.contrast == pytest.approx((150 - 10) / (150 + 10 + 4), rel=1e-3)
    assert (rim.support, rim.visible, rim.inside, rim.outside) == (1, 1, 150, 10)


def test_rim_that_the_frame_cuts():
    rim = look_at_rim(step(200, 100, (100, 100, 60)), Disc(100, 100, 60))
    assert rim.visible == pytest.approx(0.5, abs=0.03)
    assert rim.support == 1


def test_rim_beyond_the_frame():
    rim = look_at_rim(np.full((50, 50), 90, np.float32), Disc(25, 25, 100))
    assert (rim.contrast, rim.support, rim.visible) == (0, 0, 0)


def test_dark_disc_on_bright_has_no_contrast():
    rim = look_at_rim(step(200, 200, (100, 100, 60), 10, 150), Disc(100, 100, 60))
    assert (rim.contrast, rim.support) == (0, 0)


@pytest.mark.parametrize(
    "disc", [(20, 30, 12), (20.5, 29.25, 12.6), (-5, 70, 40), (30, 25, 500), (20, 90, 10)]
)
def test_drawn_disc_holds_the_pixels_whose_centres_it_holds(disc):
    np.testing.assert_array_equal(Disc(*disc).drawn((50, 60)), disc_mask(50, 60, *disc))


def test_scaling_keeps_the_place_in_the_picture():
    disc = Disc(49.5, 19.5, 10).scaled(2, 2)
    assert disc == Disc(99.5, 39.5, 20)
    assert disc.scaled(0.5, 0.5) == Disc(49.5, 19.5, 10)
