import numpy as np
import pytest

from retinagan.runtime.measures.dimension import box_counting_dimension, box_counts


def test_a_line_has_dimension_1_and_a_square_2():
    line = np.zeros((512, 512), bool)
    line[256] = True
    found = box_counting_dimension(line, 512, (0, 0))
    assert found.dimension == pytest.approx(1, abs=0.02)
    filled = box_counting_dimension(np.ones((512, 512), bool), 512, (0, 0))
    assert filled.dimension == pytest.approx(2, abs=0.04)
    assert 0 <= filled.error < 0.03


def test_the_sierpinski_carpet_has_its_own():
    carpet = np.ones((1, 1), bool)
    for _ in range(6):
        hole = np.zeros_like(carpet)
        carpet = np.block([[carpet, carpet, carpet], [carpet, hole, carpet], [carpet, carpet, carpet]])
    found = box_counting_dimension(carpet, 729, (0, 0))
    assert found.dimension == pytest.approx(np.log(8) / np.log(3), abs=0.03)


def test_boxes_are_counted_as_one_by_one():
    rng = np.random.default_rng(3)
    vessels = rng.random((130, 97)) < 0.01
    corner = (-7.3, 11.4)
    y, x = np.nonzero(vessels)
    for side, count in zip(*box_counts(vessels, 2.5, corner), strict=True):
        boxes = {*zip((x - corner[0]) // side, (y - corner[1]) // side, strict=True)}
        assert count == len(boxes)


def test_a_map_without_vessels_has_none():
    assert box_counting_dimension(np.zeros((50, 60), bool), 50, (0, 0)) is None
