from collections import defaultdict

import numpy as np
import pytest
from synthetic_vessels import FOVEA, Vessel, grow_vessels


@pytest.fixture(scope="module")
def vessels() -> list[Vessel]:
    return grow_vessels(np.random.default_rng(1), 22.0)


def bends(vessels: list[Vessel]) -> float:
    """Length of the curves over that of their chords."""
    lengths = [np.hypot(*np.diff(vessel.points, axis=0).T).sum() for vessel in vessels]
    return sum(lengths) / sum(np.hypot(*(vessel.points[-1] - vessel.points[0])) for vessel in vessels)


def test_grows_arteries_and_veins_of_plausible_calibre(vessels):
    for artery, widest in ((True, 0.45), (False, 0.56)):
        widths = [vessel.width for vessel in vessels if vessel.artery == artery]
        assert len(widths) > 50
        assert max(width.max() for width in widths) == pytest.approx(widest, rel=0.25)
        assert min(width.min() for width in widths) > 0.02


def test_widths_obey_murrays_law_at_every_branching(vessels):
    branches = defaultdict(float)
    for vessel in vessels:
        branches[(vessel.artery, *vessel.points[0])] += vessel.width[0] ** 3
    ratios = []
    for vessel in vessels:
        for node in range(1, len(vessel.width) - 6):  # near the tip, capillaries take a good part of the flow
            branch = branches.get((vessel.artery, *vessel.points[node]), 0.0)
            if branch:
                ratios.append((vessel.width[node + 1] ** 3 + branch) / vessel.width[node] ** 3)
    assert len(ratios) > 100
    assert np.median(ratios) == pytest.approx(1, abs=0.05)
    assert max(np.abs(np.log(ratios))) < np.log(1.6)  # no calibre is quite even


def test_a_vessel_narrows_towards_its_tip(vessels):
    for vessel in vessels:
        assert vessel.width[-1] < vessel.width[0]


def test_macula_is_free_of_vessels(vessels):
    distance = min(np.hypot(*(vessel.points - FOVEA).T).min() for vessel in vessels)
    assert 1.2 < distance < 4


def test_trunks_leave_the_disc_up_and_down(vessels):
    trunks = [vessel for vessel in vessels if np.hypot(*vessel.points[0]) < 2]
    assert len({(vessel.artery, vessel.points[-1][1] > 0) for vessel in trunks}) == 4


def test_tortuosity_bends_vessels():
    straight, ordinary, winding = (
        bends(grow_vessels(np.random.default_rng(2), 15.0, size)) for size in (0.0, 1.0, 2.0)
    )
    assert straight < ordinary < winding
