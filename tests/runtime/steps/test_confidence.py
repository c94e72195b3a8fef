import dataclasses
import math

import cv2
import numpy as np
import pytest

from retinagan.runtime.model.parameters import Confidence
from retinagan.runtime.retina.disc import Disc
from retinagan.runtime.steps.confidence import (
    Evidence,
    Shape,
    confidence_of,
    expected_dice,
    shape_of,
)
from retinagan.runtime.steps.levels import LEVELS, level_counts

NO_VESSELS = Shape(
    thin=math.log(1e-4), distance=math.log1p(math.hypot(585, 585)), steepness=0.0, evenness=0.0
)
"""The shape of an empty map of 585 x 585 pixels."""


def counts_of(**pixels):
    counts = np.zeros(LEVELS)
    for name, number in pixels.items():
        counts[int(name[1:])] = number
    return counts


def test_expected_dice_is_twice_the_expected_overlap_over_both_sizes():
    counts = counts_of(p899=100, p299=50)
    expected = 2 * 100 * 0.8995 / (100 + 100 * 0.8995 + 50 * 0.2995)
    assert expected_dice(counts, 0.5) == pytest.approx(expected)


def test_expected_dice_is_the_mean_dice_where_probabilities_are_true():
    random = np.random.default_rng(0)
    probability = random.beta(0.3, 1.2, (300, 300)).astype(np.float32)
    truth = random.random(probability.shape) < probability
    vessels = probability >= 0.4
    dice = 2 * (truth & vessels).sum() / (truth.sum() + vessels.sum())
    counts = level_counts(probability, np.ones(probability.shape, np.bool_))
    assert expected_dice(counts, 0.4) == pytest.approx(dice, abs=0.01)


def test_a_map_without_vessels_has_no_confidence():
    evidence = Evidence(counts_of(p100=1000), NO_VESSELS)
    assert confidence_of(evidence, 0.5, Confidence(bias=1.0)) == 0.0


def test_the_calibration_moves_probabilities():
    counts = counts_of(p899=100, p299=50)
    plain = expected_dice(counts, 0.5)
    assert expected_dice(counts, 0.5, Confidence()) == plain
    assert expected_dice(counts, 0.5, Confidence(slope=2.0)) > plain


def test_the_confidence_is_the_expected_dice_corrected_by_the_shape():
    counts = counts_of(p899=100, p299=50)
    evidence = Evidence(counts, Shape(thin=-1.5, distance=2.0, steepness=0.2, evenness=-0.3))
    plain = expected_dice(counts, 0.5)
    assert confidence_of(evidence, 0.5) == confidence_of(evidence, 0.5, Confidence()) == plain
    calibration = Confidence(
        gain=0.5, bias=0.1, thin=0.02, thin_squared=-0.01, distance=0.1, steepness=-0.5, evenness=0.2
    )
    expected = 0.5 * plain + 0.1 + 0.02 * -1.5 - 0.01 * 1.5**2 + 0.1 * 2.0 - 0.5 * 0.2 + 0.2 * -0.3
    assert confidence_of(evidence, 0.5, calibration) == pytest.approx(expected)


def test_the_confidence_is_a_dice():
    evidence = Evidence(counts_of(p899=100), NO_VESSELS)
    assert confidence_of(evidence, 0.5, Confidence(bias=1.0)) == 1.0
    assert confidence_of(evidence, 0.5, Confidence(bias=-2.0)) == 0.0


DISC = Disc(292.0, 292.0, 290.0)
"""The disc of a map of 585 x 585 pixels, at 45 degrees nearly at the scale at which shapes are measured."""


def drawn(width, disc=DISC, side=585):
    """A map of parallel vessels of a width in pixels, 40 pixels apart, and its ROI."""
    columns = np.arange(side)
    lines = np.broadcast_to((columns % 40 < width)[None], (side, side))
    roi = disc.drawn((side, side))
    return np.where(lines & roi, np.float32(0.9), np.float32(0.0)), roi


def shape(probability, roi, disc=DISC, threshold=0.5, **options):
    return shape_of(probability, roi, threshold, disc, **options)


def test_the_distance_is_that_of_a_place_in_the_retina_to_the_nearest_vessel():
    # of 40 pixels, 4 are vessel; from there the distance is 1, 2 ... 18, 18 ... 2, 1
    mean = 2 * sum(range(19)) / 40
    assert shape(*drawn(4)).distance == pytest.approx(math.log1p(mean), abs=0.1)
    probability, roi = drawn(4)
    probability[:, :292] = 0
    assert shape(probability, roi).distance > shape(*drawn(4)).distance + 0.5


def test_the_steepness_tells_sharp_vessels_from_blurred_ones():
    probability, roi = drawn(8)
    blurred = cv2.GaussianBlur(probability, (0, 0), 4)
    assert shape(probability, roi).steepness == pytest.approx(
        0.4, abs=0.05
    )  # half of 0.9, less what resizing takes
    assert shape(np.where(roi, blurred, np.float32(0)), roi, threshold=0.2).steepness < 0.15


@pytest.mark.parametrize("turns", range(4))
def test_the_evenness_falls_where_a_quadrant_lacks_its_vessels(turns):
    probability, roi = drawn(5)
    assert shape(probability, roi).evenness == pytest.approx(0.0, abs=0.1)
    probability[:292, :292] = 0
    turned = np.ascontiguousarray(np.rot90(probability, turns)), np.ascontiguousarray(np.rot90(roi, turns))
    assert shape(*turned).evenness == pytest.approx(math.log(0.005 / (0.125 * 0.75 + 0.005)), abs=0.2)


def test_the_thin_share_tells_narrow_vessels_from_broad_ones():
    assert shape(*drawn(3)).thin == pytest.approx(0.0, abs=0.001)
    assert shape(*drawn(8)).thin < math.log(0.1)
    fragments = drawn(8)[0] * (np.arange(585) % 12 < 4)[:, None]
    assert shape(fragments.astype(np.float32), drawn(8)[1]).thin == pytest.approx(0.0, abs=0.001)


def alike(one, other):
    assert other.thin == pytest.approx(one.thin, abs=0.1)
    assert other.distance == pytest.approx(one.distance, abs=0.1)
    assert other.steepness == pytest.approx(one.steepness, rel=0.25)
    assert other.evenness == pytest.approx(one.evenness, abs=0.03)
    return True


@pytest.mark.parametrize("factor", [2, 5])
def test_the_shape_does_not_depend_on_the_size_of_the_frame(factor):
    probability, roi = drawn(8)
    small = np.maximum(probability, np.roll(drawn(3)[0], 20, axis=1)) * roi, roi
    large = [np.repeat(np.repeat(part, factor, 0), factor, 1) for part in small]
    assert alike(shape(*small), shape(*large, DISC.scaled(factor, factor)))


def test_the_margin_of_a_frame_does_not_count():
    probability, roi = drawn(5)
    padded = [np.pad(part, ((100, 30), (250, 0))) for part in (probability, roi)]
    disc = Disc(DISC.center_x + 250, DISC.center_y + 100, DISC.radius)
    assert alike(shape(probability, roi), shape(*padded, disc))


def test_a_wider_angle_makes_the_same_vessels_wider():
    probability, roi = drawn(4)
    assert shape(probability, roi, field_of_view=90.0).thin < shape(probability, roi, field_of_view=45.0).thin


def test_an_empty_map_and_a_tiny_one_have_a_shape():
    roi = DISC.drawn((585, 585))
    empty = shape(np.zeros(roi.shape, np.float32), roi)
    assert dataclasses.astuple(empty) == pytest.approx(dataclasses.astuple(NO_VESSELS), abs=0.02)
    tiny = np.full((4, 4), 0.9, np.float32)
    measured = shape(tiny, tiny > 0, Disc(1.5, 1.5, 2.0), field_of_view=220.0)
    assert np.isfinite(dataclasses.astuple(measured)).all()


def test_a_disc_that_the_frame_cuts_is_measured_in_the_frame():
    probability, roi = drawn(3)
    part = slice(150, 430)
    cut = shape(probability[part], roi[part], Disc(DISC.center_x, DISC.center_y - 150, DISC.radius))
    assert alike(shape(probability, roi), cut)
