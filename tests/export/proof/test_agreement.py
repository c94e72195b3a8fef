import numpy as np
import pytest

from retinagan.export.proof.agreement import LEVELS, Agreement, ParityError
from retinagan.train.scores.metrics import Histogram

SHAPE = (40, 50)


@pytest.fixture
def maps():
    """A reference, a candidate near it, and a region."""
    random = np.random.default_rng(0)
    reference = random.random(SHAPE, np.float32)
    candidate = np.clip(reference * 0.8 + random.normal(0, 0.05, SHAPE), 0, 1).astype(np.float32)
    return reference, candidate, random.random(SHAPE) < 0.7


def agreement(*maps, threshold=0.5):
    found = Agreement(threshold)
    found.add(*maps, "a candidate")
    return found


def test_a_model_agrees_with_itself(maps):
    reference, _, region = maps
    found = agreement(reference, reference, region)
    assert (found.largest, found.mean, found.images, found.pixels) == (0.0, 0.0, 1, region.sum())
    assert found.dice(0.5) == 1.0
    assert found.best_threshold() == pytest.approx(0.5, abs=1 / LEVELS)


def test_differences_are_counted_inside_the_region(maps):
    reference, candidate, region = maps
    found = agreement(reference, candidate, region)
    difference = np.abs(reference.astype(float) - candidate)[region]
    assert found.largest == pytest.approx(difference.max())
    assert found.mean == pytest.approx(difference.mean())
    reference[~region] = np.nan
    assert agreement(reference, candidate, region).largest == found.largest


def test_dice_of_the_maps(maps):
    reference, candidate, region = maps
    found = agreement(reference, candidate, region)
    for threshold in (0.2, 0.4, 0.5):
        first, second = reference[region] >= 0.5, candidate[region] >= threshold
        expected = 2 * (first & second).sum() / (first.sum() + second.sum())
        assert found.dice(threshold) == pytest.approx(expected, abs=1e-3)


def test_the_best_threshold_is_that_of_scoring_against_the_references_map(maps):
    reference, candidate, region = maps
    found = agreement(reference, candidate, region)
    best = Histogram.of(candidate, reference >= 0.5, region).best_threshold()
    assert found.best_threshold() == pytest.approx(best, abs=1e-3)
    assert found.best_threshold() < 0.45  # the candidate's probabilities are lower
    assert found.dice(found.best_threshold()) > found.dice(0.5) + 0.05


def test_of_equal_thresholds_the_nearest_is_taken():
    reference = np.array([[0.1, 0.9]], np.float32)
    found = agreement(reference, reference, np.ones((1, 2), bool), threshold=0.3)
    assert found.best_threshold() == pytest.approx(0.3, abs=1 / LEVELS)


def test_images_add_up(maps):
    reference, candidate, region = maps
    halves = Agreement(0.5)
    for rows in (slice(0, 15), slice(15, None)):
        halves.add(reference[rows], candidate[rows], region[rows], "a candidate")
    whole = agreement(reference, candidate, region)
    assert (halves.images, halves.pixels, halves.largest) == (2, whole.pixels, whole.largest)
    assert halves.mean == pytest.approx(whole.mean)
    assert halves.dice(0.4) == whole.dice(0.4)


def test_no_vessel_in_either_map():
    empty = np.zeros((2, 2), np.float32)
    assert agreement(empty, empty, np.ones((2, 2), bool)).dice(0.5) == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("which", [0, 1])
def test_values_that_are_no_numbers(maps, which, value):
    maps[2][3, 4] = True
    maps[which][3, 4] = value
    with pytest.raises(ParityError, match="a candidate returns NaN or infinity: the weights have diverged"):
        agreement(*maps)
