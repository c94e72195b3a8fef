import dataclasses

import numpy as np
import pytest

from retinagan.train.scores.bootstrap import interval, resample
from retinagan.train.scores.counts import MapCounts


def counted(seed, vessels=0.15):
    """Counts of one drawn image; coarse probabilities, so that there are ties."""
    random = np.random.default_rng(seed)
    truth = random.random((30, 40)) < vessels
    noise = random.normal(0.3 + 0.3 * truth, 0.15 + 0.02 * seed)
    return MapCounts.of(np.round(np.clip(noise, 0, 1), 2).astype(np.float32), truth, 0.5)


COUNTS = [counted(seed) for seed in range(4)]


def test_resamples_score_as_their_images_pooled_do():
    values = resample(COUNTS, resamples=25, seed=3)
    draws = np.random.default_rng(3).multinomial(4, [0.25] * 4, 25)
    for number, draw in enumerate(draws):
        pooled = MapCounts.pooled(
            [one for one, times in zip(COUNTS, draw, strict=True) for _ in range(times)]
        )
        for name, expected in dataclasses.asdict(pooled.scores()).items():
            assert values[name][number] == pytest.approx(expected, abs=1e-12), name


def test_the_same_seed_gives_the_same_resamples():
    first, again, other = (resample(COUNTS, 50, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first["auc"], again["auc"])
    assert (first["auc"] != other["auc"]).any()


def test_an_interval_lies_round_the_pooled_score():
    low, high = interval(resample(COUNTS))
    pooled = dataclasses.asdict(MapCounts.pooled(COUNTS).scores())
    for name, value in pooled.items():
        assert getattr(low, name) < value < getattr(high, name), name


def test_images_that_are_alike_leave_no_spread():
    low, high = interval(resample([COUNTS[0]] * 3, 20))
    assert dataclasses.astuple(low) == pytest.approx(dataclasses.astuple(high))


def test_what_has_no_value_has_no_interval():
    empty = MapCounts.of(np.zeros((4, 4), np.float32), np.zeros((4, 4), bool), 0.5)
    low, high = interval(resample([empty, empty], 10))
    assert low.accuracy == high.accuracy == 1.0
    assert np.isnan([low.sensitivity, high.auc, low.sensitivity_at_98, high.cldice]).all()
