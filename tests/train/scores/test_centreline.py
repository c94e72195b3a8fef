import math

import numpy as np
import pytest

from retinagan.train.scores.centreline import Centreline


def bar(*rows, columns=slice(2, 28), shape=(20, 30)):
    drawn = np.zeros(shape, bool)
    for row in rows:
        drawn[row : row + 3, columns] = True
    return drawn


def test_the_same_map_agrees_wholly():
    assert Centreline.of(bar(4), bar(4)).cldice() == 1.0


def test_a_thinner_map_on_the_same_line_agrees_wholly():
    thin = np.zeros((20, 30), bool)
    thin[5, 2:28] = True
    counts = Centreline.of(thin, bar(4))
    assert counts.found == counts.found_right == 26
    assert counts.cldice() > 0.97, "the bar's line may leave the thin one at its ends"


def test_a_missed_branch_costs_its_length():
    counts = Centreline.of(bar(4), bar(4, 12))
    assert counts.found == counts.found_right
    assert counts.drawn == 2 * counts.drawn_found
    assert counts.cldice() == pytest.approx(2 / 3)


def test_maps_apart_agree_in_nothing():
    assert Centreline.of(bar(4), bar(12)).cldice() == 0.0
    assert Centreline.of(bar(), bar(12)).cldice() == 0.0


def test_without_any_vessel_there_is_no_score():
    assert math.isnan(Centreline.of(bar(), bar()).cldice())


def test_pixels_add_up_over_images():
    first, second = Centreline.of(bar(4), bar(4, 12)), Centreline.of(bar(4), bar(12))
    pooled = Centreline.pooled([first, second])
    assert pooled.found == first.found + second.found
    assert pooled.cldice() == pytest.approx(2 / (2 + 3))
