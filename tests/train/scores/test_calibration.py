import numpy as np
import pytest

from retinagan.train.scores.calibration import fit_map_threshold
from retinagan.train.scores.metrics import Histogram


def drawn(slope: float, offset: float, pixels: int = 400_000, seed: int = 0) -> Histogram:
    """Pixels of a map whose true calibration is known."""
    random = np.random.default_rng(seed)
    logits = random.normal(-2.0, 2.0, (1, pixels))
    truth = random.random(logits.shape) < 1 / (1 + np.exp(-(slope * logits + offset)))
    return Histogram.of((1 / (1 + np.exp(-logits))).astype(np.float32), truth)


def test_the_fit_finds_the_calibration():
    rule = fit_map_threshold([drawn(0.7, -0.5)])
    assert rule is not None
    assert (rule.slope, rule.offset) == pytest.approx((0.7, -0.5), abs=0.02)


def test_datasets_have_the_same_weight_whatever_their_number_of_pixels():
    first, second = drawn(1.0, 1.0), drawn(1.0, -1.0)
    rule = fit_map_threshold([first, second])
    many = fit_map_threshold([first, Histogram(second.vessels * 9, second.background * 9)])
    assert rule is not None
    assert rule == many
    assert abs(rule.offset) < 0.2


def test_without_vessels_or_background_there_is_no_rule():
    levels = np.full((1, 50), 0.5, np.float32)
    for truth in (np.zeros((1, 50), bool), np.ones((1, 50), bool)):
        assert fit_map_threshold([Histogram.of(levels, truth)]) is None


def test_a_perfect_map_has_a_rule_of_finite_slope():
    truth = np.arange(1000).reshape(20, 50) % 5 == 0
    probability = np.where(truth, np.float32(0.9), np.float32(0.1))
    rule = fit_map_threshold([Histogram.of(probability, truth)])
    assert rule is not None
    assert 1 < rule.slope <= 100
