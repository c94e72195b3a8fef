from pathlib import Path

import numpy as np
import pytest

from retinagan.runtime.model.parameters import Confidence
from retinagan.runtime.steps.confidence import (
    SHAPE_TERMS,
    Evidence,
    Shape,
    confidence_of,
    expected_dice,
)
from retinagan.runtime.steps.levels import LEVELS

THRESHOLD = 0.5
BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def confidence(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    import confidence

    return confidence


def maps(confidence, number=40, gain=1.2, bias=-0.2):
    """Maps of which the true Dice follows exactly from the expected one and from the shape.

    It is better from image to image.
    """
    found = []
    for index in range(number):
        counts = np.zeros(LEVELS)
        counts[50], counts[300], counts[600 + 9 * index] = 1000, 100, 300
        shape = Shape(-1.0 - 0.2 * (index % 5), 2.0 + 0.1 * (index % 3), 0.2 + 0.01 * (index % 7), 0.0)
        dice = gain * expected_dice(counts, THRESHOLD) + bias - 0.01 * shape.thin**2
        dice += 0.1 * (shape.distance - 2) - shape.steepness + 0.2
        dataset = "A" if index % 2 else "B"
        shift = confidence.PLAIN if index % 4 else "gamma 0.6"
        found.append(
            confidence.Measured(dataset, f"{index // 2}", shift, dice, THRESHOLD, Evidence(counts, shape))
        )
    return found


def test_the_fit_finds_what_the_dice_follows_from(confidence):
    calibration = confidence.fit(maps(confidence))
    got = [confidence_of(one.evidence, THRESHOLD, calibration) for one in maps(confidence)]
    assert got == pytest.approx([one.dice for one in maps(confidence)], abs=0.01)


def test_without_the_shape_a_fit_is_worse(confidence):
    calibration = confidence.fit(maps(confidence), shape=False)
    assert {getattr(calibration, term) for term in SHAPE_TERMS} == {0}
    got = [confidence_of(one.evidence, THRESHOLD, calibration) for one in maps(confidence)]
    assert got != pytest.approx([one.dice for one in maps(confidence)], abs=0.005)


def test_held_out_confidences_follow_the_dice_of_images_that_the_fit_has_not_seen(confidence):
    got = confidence.held_out(maps(confidence))
    assert got == pytest.approx([one.dice for one in maps(confidence)], abs=0.02)
    assert "| all | 40 | 1.00 |" in confidence.ranks(maps(confidence), got)


def test_the_bound_lies_below_every_image_without_a_shift(confidence):
    plain = [one for one in maps(confidence) if one.shift == confidence.PLAIN]
    calibration = confidence.bound_of(maps(confidence), Confidence())
    lowest = min(confidence_of(one.evidence, THRESHOLD) for one in plain)
    assert calibration.bound == pytest.approx(lowest - confidence.MARGIN, abs=0.001)
    table = confidence.alarms(maps(confidence), calibration)
    assert f"| without a shift | {len(plain)} | 0 |" in table


def test_the_curve_has_groups_of_equal_number_from_low_to_high(confidence):
    rows = confidence.curve(
        maps(confidence), np.array([one.dice for one in maps(confidence)]), bins=4
    ).splitlines()[2:]
    assert [row.split(" | ")[1] for row in rows] == ["10"] * 4
    means = [float(row.split(" | ")[3]) for row in rows]
    assert means == sorted(means)
