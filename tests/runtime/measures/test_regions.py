import numpy as np

from retinagan.runtime.measures.regions import QUADRANTS, REGIONS, RINGS, Regions
from retinagan.runtime.retina.disc import Disc

DISC = Disc(49.5, 49.5, 48.0)


def test_rings_and_quadrants_each_share_out_all_pixels():
    mask = np.random.default_rng(1).random((100, 100)) < 0.3
    counts = Regions(DISC).pixels(mask)
    assert len(counts) == len(REGIONS)
    assert counts[: len(RINGS)].sum() == counts[len(RINGS) :].sum() == mask.sum()


def test_pixels_and_points_are_in_the_same_regions():
    mask = np.random.default_rng(2).random((100, 100)) < 0.1
    y, x = np.nonzero(mask)
    regions = Regions(DISC)
    sums = regions.sums(np.stack([x, y], axis=1).astype(float), np.ones(len(x)))
    assert sums.tolist() == regions.pixels(mask).tolist()


def test_quadrants_are_those_of_the_picture():
    places = np.array([[10, 10], [90, 10], [10, 90], [90, 90]], float)
    _, quadrant = Regions(DISC).of(places)
    assert [QUADRANTS[number] for number in quadrant] == [
        "upper_left",
        "upper_right",
        "lower_left",
        "lower_right",
    ]


def test_rings_are_thirds_of_the_radius_and_the_outer_has_no_end():
    places = np.array([[49.5 + reach, 49.5] for reach in (15.9, 16.1, 31.9, 32.1, 70)])
    ring, _ = Regions(DISC).of(places)
    assert [RINGS[number] for number in ring] == ["inner", "middle", "middle", "outer", "outer"]


def test_a_centre_outside_the_picture():
    counts = Regions(Disc(-20, 150, 60)).pixels(np.ones((100, 100), bool))
    assert counts[len(RINGS) :].tolist() == [0, 10_000, 0, 0]
