from dataclasses import replace

import numpy as np
import pytest

from retinagan.runtime.model.parameters import MapThreshold
from retinagan.runtime.model.spec import ModelSpec
from retinagan.runtime.steps.levels import LEVELS, level_counts
from retinagan.runtime.steps.threshold import Thresholding

OWN = Thresholding(0.4, MapThreshold())


def probabilities(sure: float, seed: int = 0) -> np.ndarray:
    """A map of 200 x 200 pixels; the higher `sure`, the nearer are its probabilities to 0 and 1."""
    logits = np.random.default_rng(seed).normal(-2.0, 2.0, (200, 200)) * sure
    return (1 / (1 + np.exp(-logits))).astype(np.float32)


def test_without_a_rule_all_maps_have_one_threshold():
    assert Thresholding(0.37).of_map(probabilities(1.0)) == 0.37
    assert Thresholding(0.37).of(level_counts(probabilities(1.0))) == 0.37


def test_a_maps_own_threshold_has_the_largest_expected_dice():
    probability = probabilities(1.0)
    found = Thresholding(0.45, MapThreshold()).of_map(probability)
    random = np.random.default_rng(1)
    truths = [random.random(probability.shape) < probability for _ in range(20)]

    def dice(threshold: float) -> float:
        vessels = probability >= threshold
        return float(np.mean([2 * (one & vessels).sum() / (one.sum() + vessels.sum()) for one in truths]))

    candidates = np.arange(0.2, 0.7, 0.02)
    best = max(map(dice, candidates))
    assert dice(found) == pytest.approx(best, abs=1e-3)
    assert found == pytest.approx(best / 2, abs=0.01), "half of the best Dice"
    assert found == round(found * LEVELS) / LEVELS


def test_the_vessels_of_an_unsure_map_begin_lower():
    sure, unsure = (Thresholding(0.4, MapThreshold()).of_map(probabilities(by)) for by in (2.0, 0.7))
    assert unsure < sure - 0.05


def test_calibrated_probabilities_decide():
    probability = probabilities(1.0)
    plain, moved = (
        Thresholding(0.4, rule).of_map(probability) for rule in (MapThreshold(), MapThreshold(1.0, 1.0))
    )
    assert moved < plain, "where vessels are likelier than the network says, more pixels are vessel"


@pytest.mark.parametrize(("offset", "expected"), [(-20.0, 0.7), (20.0, 0.2)])
def test_a_threshold_stays_near_the_models(offset, expected):
    assert Thresholding(0.4, MapThreshold(1.0, offset)).of_map(probabilities(1.0)) == pytest.approx(expected)


def test_what_lies_outside_the_retina_does_not_matter():
    probability = probabilities(1.0)
    probability[:100] = 0
    roi = np.zeros(probability.shape, bool)
    roi[100:] = True
    assert OWN.of(level_counts(probability, roi)) == OWN.of_map(probability) == OWN.of_map(probability[100:])


def test_a_map_without_any_probability_has_the_models_threshold():
    assert OWN.of_map(np.zeros((8, 8), np.float32)) == 0.4


def test_a_given_threshold_is_that_of_all_maps_and_the_models_is_still_known():
    counts = level_counts(probabilities(1.0))
    given = replace(OWN, given=0.3)
    assert given.of(counts) == given.of_map(probabilities(1.0)) == 0.3
    assert given.own(counts) == OWN.of(counts) != 0.3


def test_a_users_options_are_told_from_the_models_spec():
    spec = ModelSpec("net", "net.onnx", "fp32", 0.4, map_threshold=MapThreshold(1.2, 0.1))
    own = Thresholding.of_spec(spec)
    assert Thresholding.of_spec(spec, spec) == own
    for given in (0.4, 0.3):
        used = replace(spec, threshold=given, map_threshold=None)
        assert Thresholding.of_spec(spec, used) == replace(own, given=given)


def test_a_spec_says_how_thresholds_are_found():
    spec = ModelSpec("net", "net.onnx", "fp32", 0.4)
    assert Thresholding.of_spec(spec) == Thresholding(0.4)
    spec = ModelSpec("net", "net.onnx", "fp32", 0.4, map_threshold=MapThreshold(1.2, 0.1))
    assert Thresholding.of_spec(spec) == Thresholding(0.4, MapThreshold(1.2, 0.1))
