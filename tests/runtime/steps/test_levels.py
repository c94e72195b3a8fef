import numpy as np
import pytest

from retinagan.runtime.steps.levels import LEVELS, calibrated_levels, level_counts, vessel_levels


def test_pixels_are_counted_by_their_probability_inside_the_roi():
    probability = np.array([[0.0, 0.2505, 0.9999, 1.0]], np.float32)
    counts = level_counts(probability, np.array([[True, True, True, True]]))
    assert counts[0] == 1
    assert counts[250] == 1
    assert counts[999] == 2
    assert level_counts(probability, np.array([[True, False, False, False]])).sum() == 1
    assert level_counts(probability).sum() == 4


def test_of_large_maps_a_regular_sample_is_counted():
    probability = np.zeros((2000, 3000), np.float32)
    probability[:, 1500:] = 0.7505
    counts = level_counts(probability)
    assert counts.sum() == 667 * 1000
    assert counts[750] == 667 * 500


@pytest.mark.parametrize("threshold", [0.1, 0.25, 0.409, 0.5, 1.0])
def test_vessel_levels_are_those_of_pixels_at_or_above_the_threshold(threshold):
    lowest = np.arange(LEVELS) / LEVELS
    expected = np.flatnonzero(lowest >= threshold - 1e-9)
    np.testing.assert_array_equal(np.arange(LEVELS)[vessel_levels(threshold)], expected)


def test_probabilities_are_calibrated_in_their_logits():
    levels = (np.arange(LEVELS) + 0.5) / LEVELS
    np.testing.assert_allclose(calibrated_levels(1.0, 0.0), levels)
    calibrated = calibrated_levels(2.0, -1.0)
    np.testing.assert_allclose(
        np.log(calibrated / (1 - calibrated)), 2 * np.log(levels / (1 - levels)) - 1, atol=1e-9
    )
