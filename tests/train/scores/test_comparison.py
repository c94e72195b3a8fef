import dataclasses

import numpy as np
import pytest

from retinagan.train.scores.comparison import Gain, differences
from retinagan.train.scores.counts import MapCounts
from retinagan.train.scores.evaluation import REGIONS, Measured


def measured(name, seed, noise, second=None):
    """Counts of a drawn map; more noise, a worse map of the same truth."""
    truth = np.random.default_rng(seed).random((30, 40)) < 0.15
    errors = np.random.default_rng(seed + 100).normal(0.0, noise, truth.shape)
    probability = np.clip(0.3 + 0.4 * truth + errors, 0, 1).astype(np.float32)
    counts = MapCounts.of(probability, truth, 0.5)
    return Measured(name, 0.5, (counts,) * len(REGIONS), second)


def test_the_better_maps_are_above_on_the_same_resamples():
    good, bad = ([measured(str(seed), seed, noise) for seed in range(4)] for noise in (0.1, 0.3))
    found = differences(good, bad)
    assert [one.region for one in found] == list(REGIONS)
    scores = [MapCounts.pooled([image.model[0] for image in images]).scores() for images in (good, bad)]
    assert found[0].scores.auc == pytest.approx(scores[0].auc - scores[1].auc)
    low, high = found[0].interval
    assert 0 < low.auc < found[0].scores.auc < high.auc
    assert 0 < low.dice < found[0].scores.dice < high.dice
    back = differences(bad, good)[0]
    assert dataclasses.astuple(back.scores) == pytest.approx(
        [-one for one in dataclasses.astuple(found[0].scores)]
    )


def test_a_model_is_nowhere_above_itself():
    images = [measured(str(seed), seed, 0.2) for seed in range(4)]
    for one in differences(images, images):
        low, high = one.interval
        assert dataclasses.astuple(low) == dataclasses.astuple(high) == (0.0,) * 7


def test_what_is_printed_has_no_sign_of_a_negative_0():
    assert Gain(-0.00001, (-0.00002, 0.002)).printed() == "+0.0000 [+0.0000 to +0.0020]"
    assert Gain(float("nan"), None).printed() == "-"


def test_single_images_have_no_interval():
    assert differences([measured("a", 1, 0.1)], [measured("a", 1, 0.3)])[0].interval is None


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((0.0001, 0.002), "above"),
        ((-0.002, -0.0001), "below"),
        ((0.00004, 0.002), "not told apart"),
        ((-0.002, -0.00004), "not told apart"),
        ((float("nan"), float("nan")), "not told apart"),
        (None, "not told apart"),
    ],
)
def test_what_prints_as_0_decides_nothing(interval, verdict):
    assert Gain(0.001, interval).verdict == verdict
