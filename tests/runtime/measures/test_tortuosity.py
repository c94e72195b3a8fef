import numpy as np
import pytest
from vessel_drawings import arc, draw, line, wave

pytest.importorskip("skimage")

from retinagan.runtime.measures.network import Network
from retinagan.runtime.measures.tortuosity import Tortuosity

SIZE, DIAMETER = 800, 800 * 0.96


def tortuosity(vessel):
    found = Network.of(draw([vessel], SIZE).vessels)
    assert len(found) == 1
    calibre = found.lines.sums(found.calibre) / np.diff(found.lines.offsets)
    return Tortuosity.of(found, calibre, float(calibre[0]))


@pytest.mark.parametrize(
    "vessel",
    [
        arc((0, 0.2), 0.5, (-140, -40), 0.008),
        arc((0, 0), 0.25, (0, 180), 0.012),
        wave((-0.4, 0.1), (0.4, 0.0), 0.03, 3, 0.008),
        wave((-0.4, -0.1), (0.4, 0.2), 0.02, 2, 0.016),
    ],
    ids=["arc", "half a circle", "wave", "slow wave"],
)
def test_bent_vessels(vessel):
    found = tortuosity(vessel)
    assert found.arc_over_chord == pytest.approx([vessel.arc_over_chord], rel=0.03)
    assert found.curvature * DIAMETER == pytest.approx([vessel.curvature], rel=0.07)


@pytest.mark.parametrize("degrees", [0, 10, 33, 45])
def test_a_straight_vessel_is_straight(degrees):
    reach = 0.4 * np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))])
    found = tortuosity(line(-reach, reach, 0.01))
    assert 1 <= found.arc_over_chord[0] < 1.005
    assert found.curvature[0] * DIAMETER < 0.3


def test_a_closed_ring_has_no_chord():
    found = tortuosity(arc((0, 0), 0.2, (0, 360), 0.01))
    assert np.isnan(found.arc_over_chord[0])
    assert found.curvature[0] * DIAMETER == pytest.approx(1 / 0.2, rel=0.05)


def test_what_is_shorter_than_twice_its_width_has_none():
    found = tortuosity(line((-0.03, 0), (0.03, 0), 0.05))
    assert np.isnan(found.arc_over_chord[0])
