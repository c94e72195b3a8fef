import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from retinagan.train.scores.metrics import LEVELS, Histogram


def drawn(seed=0, shape=(40, 50)):
    random = np.random.default_rng(seed)
    truth = random.random(shape) < 0.2
    probability = np.clip(random.normal(0.3 + 0.25 * truth, 0.2), 0, 1).astype(np.float32)
    return probability, truth, random.random(shape) < 0.8


def test_rates_at_a_threshold_are_counted_by_hand():
    probability = np.array([[0.9, 0.6, 0.5, 0.4, 0.1, 0.0]], np.float32)
    truth = np.array([[True, False, True, True, False, False]])
    scores = Histogram.of(probability, truth).scores(0.5)
    assert scores.sensitivity == pytest.approx(2 / 3)
    assert scores.specificity == pytest.approx(2 / 3)
    assert scores.accuracy == pytest.approx(4 / 6)
    assert scores.dice == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))


def test_auc_is_that_of_the_raw_probabilities():
    probability, truth, region = drawn()
    scores = Histogram.of(probability, truth, region).scores(0.5)
    assert scores.auc == pytest.approx(roc_auc_score(truth[region], probability[region]), abs=1e-5)


def test_rates_are_those_of_the_raw_probabilities():
    probability, truth, region = drawn(1)
    scores = Histogram.of(probability, truth, region).scores(0.37)
    vessels = probability >= 0.37
    sensitivity = (vessels & truth & region).sum() / (truth & region).sum()
    specificity = (~vessels & ~truth & region).sum() / (~truth & region).sum()
    one_pixel = 1 / 250  # may lie within rounding of the threshold
    assert scores.sensitivity == pytest.approx(sensitivity, abs=one_pixel)
    assert scores.specificity == pytest.approx(specificity, abs=one_pixel)


def test_sensitivity_at_98_is_the_best_that_the_specificity_allows():
    probability, truth, _ = drawn(2)
    negatives = np.sort(probability[~truth])
    allowed = max(
        (probability[truth] >= level).mean()
        for level in np.unique(probability)
        if (negatives < level).mean() >= 0.98
    )
    assert Histogram.of(probability, truth).scores(0.5).sensitivity_at_98 == pytest.approx(allowed)


def test_the_best_threshold_has_the_largest_dice():
    probability, truth, _ = drawn(3)
    histogram = Histogram.of(probability, truth)
    best = histogram.best_threshold()
    all_dice = [
        2 * (truth & (probability >= value)).sum() / (truth.sum() + (probability >= value).sum())
        for value in np.unique(probability)
    ]
    assert histogram.scores(best).dice == pytest.approx(max(all_dice), abs=1e-9)
    assert 2 * (truth & (probability >= best)).sum() / (truth.sum() + (probability >= best).sum()) == (
        pytest.approx(max(all_dice), abs=2e-3)
    )


def test_pooling_is_counting_all_pixels_together():
    first, second = drawn(4), drawn(5)
    pooled = Histogram.pooled([Histogram.of(*first), Histogram.of(*second)])
    joined = Histogram.of(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))
    assert pooled.scores(0.4) == joined.scores(0.4)


def test_levels_are_those_of_a_16_bit_picture():
    levels = np.arange(LEVELS + 1)
    stored = levels.astype(np.float32) / np.float32(LEVELS)
    histogram = Histogram.of(stored[None], np.ones((1, LEVELS + 1), bool))
    np.testing.assert_array_equal(histogram.vessels, np.ones(LEVELS + 1, np.int64))


def test_an_image_without_vessels_has_no_curve():
    scores = Histogram.of(np.full((3, 3), 0.2, np.float32), np.zeros((3, 3), bool)).scores(0.5)
    assert scores.accuracy == scores.specificity == 1.0
    assert math.isnan(scores.sensitivity)
    assert math.isnan(scores.auc)
    assert math.isnan(scores.sensitivity_at_98)


def test_wrong_arrays_are_named():
    zeros = np.zeros((2, 2), np.float32)
    with pytest.raises(ValueError, match=r"shapes \[\(2, 2\), \(3, 3\)\], expected the same"):
        Histogram.of(zeros, np.zeros((3, 3), bool))
    with pytest.raises(ValueError, match=r"a probability is not in \[0, 1\]"):
        Histogram.of(zeros + np.float32(np.nan), np.zeros((2, 2), bool))
    with pytest.raises(ValueError, match=r"threshold is 1\.5, expected 0 to 1"):
        Histogram.of(zeros, np.zeros((2, 2), bool)).scores(1.5)


def test_balanced_histograms_weigh_the_same():
    small, large = (
        Histogram.of(np.full((side, side), value, np.float32), np.eye(side, dtype=bool))
        for side, value in ((4, 0.25), (40, 0.75))
    )
    both = Histogram.balanced([small, large])
    quarter, rest = (int(level * LEVELS + 0.5) for level in (0.25, 0.75))
    totals = both.vessels + both.background
    assert totals[quarter] == totals[rest] == 1600
    assert both.vessels[quarter] == 400
