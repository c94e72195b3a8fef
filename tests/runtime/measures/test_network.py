import numpy as np
import pytest
from vessel_drawings import arc, draw, line

pytest.importorskip("skimage")

from retinagan.runtime.measures.network import Network


def network(*vessels, size=500):
    return Network.of(draw(list(vessels), size).vessels)


def test_a_branch_makes_three_segments_and_a_junction():
    found = network(line((-0.4, 0), (0.4, 0), 0.02), line((0, 0), (0.2, 0.3), 0.012))
    assert len(found) == 3
    ((x, y),) = found.junctions()
    assert (x, y) == pytest.approx((249.5, 249.5), abs=6)


def test_two_vessels_that_cross_make_one_junction_of_four_segments():
    found = network(line((-0.4, -0.1), (0.4, 0.1), 0.02), line((-0.3, 0.25), (0.3, -0.25), 0.02))
    assert len(found.junctions()) == 1
    assert (found.degrees == 1).sum() == 4


def test_a_ring_has_no_ends():
    found = network(arc((0, 0), 0.3, (0, 360), 0.02))
    assert len(found) == 1
    assert found.degrees.tolist() == [[2, 2]]
    assert found.lengths()[0] == pytest.approx(2 * np.pi * 0.3 * 480, rel=0.02)


def test_rough_walls_have_no_spurs():
    vessels = draw([line((-0.4, 0.03), (0.4, -0.02), 0.03)], 500).vessels
    rng = np.random.default_rng(0)
    y, x = np.nonzero(vessels)
    for number in rng.choice(len(x), 60, replace=False):
        vessels[y[number] - 2 : y[number] + 3, x[number] - 2 : x[number] + 3] = True
    assert len(Network.of(vessels)) == 1


def test_specks_are_left_out():
    vessels = draw([line((-0.4, 0), (0.4, 0), 0.02)], 500).vessels
    vessels[100:104, 100:104] = True
    vessels[120, 200] = True
    assert len(Network.of(vessels)) == 1


def test_calibre_and_length_of_each_segment():
    found = network(line((-0.4, -0.2), (0.4, -0.15), 0.01), line((-0.4, 0.1), (0.4, 0.2), 0.02), size=1000)
    widths = sorted(found.lines.sums(found.calibre) / np.diff(found.lines.offsets))
    assert widths == pytest.approx([9.6, 19.2], rel=0.03)
    assert found.lengths().sum() == pytest.approx(960 * (np.hypot(0.8, 0.05) + np.hypot(0.8, 0.1)), rel=0.01)


@pytest.mark.parametrize(
    "vessels",
    [
        np.zeros((30, 40), bool),
        np.ones((30, 40), bool),
        np.eye(30, dtype=bool),
        np.ones((1, 40), bool),
        np.ones((1, 1), bool),
        np.random.default_rng(0).random((64, 64)) < 0.4,
    ],
    ids=["empty", "full", "diagonal", "row", "pixel", "noise"],
)
def test_odd_maps_have_a_network_too(vessels):
    found = Network.of(vessels)
    assert np.isfinite(found.centre).all()
    assert (found.calibre >= 0).all()
    found.junctions()
