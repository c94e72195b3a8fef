import numpy as np
import pytest

from retinagan.train.scores.counts import MapCounts

TRUTH = np.zeros((10, 20), bool)
TRUTH[4:7, 2:18] = True


def test_scores_are_of_pixels_and_of_centrelines():
    scores = MapCounts.of(TRUTH.astype(np.float32), TRUTH, 0.5).scores()
    assert (scores.dice, scores.auc, scores.cldice) == (1.0, 1.0, 1.0)


def test_a_pixel_at_the_threshold_is_a_vessel_for_pixels_and_centrelines():
    probability = np.where(TRUTH, np.float32(0.37), np.float32(0.1))
    scores = MapCounts.of(probability, TRUTH, 0.37).scores()
    assert (scores.sensitivity, scores.cldice) == (1.0, 1.0)


def test_outside_the_region_nothing_counts():
    false_alarm = TRUTH.astype(np.float32)
    false_alarm[9] = 1.0
    region = np.ones(TRUTH.shape, bool)
    region[8:] = False
    assert MapCounts.of(false_alarm, TRUTH, 0.5, region).scores().cldice == 1.0
    assert MapCounts.of(false_alarm, TRUTH, 0.5).scores().cldice < 1.0


def test_pooling_adds_both_kinds_of_counts():
    right, wrong = (
        MapCounts.of(array, TRUTH, 0.5) for array in (TRUTH.astype(np.float32), 1 - TRUTH * np.float32(1))
    )
    pooled = MapCounts.pooled([right, wrong]).scores()
    assert pooled.sensitivity == pytest.approx(0.5)
    assert 0.0 < pooled.cldice < 1.0
