import numpy as np
import pytest

from retinagan.runtime.measures.lines import Lines

TWO = Lines(np.array([0, 3, 5]))


def test_points_know_their_line_and_place():
    assert len(TWO) == 2
    assert TWO.of_points().tolist() == [0, 0, 0, 1, 1]
    assert [part.tolist() for part in TWO.ends()] == [[0, 3], [2, 4]]
    before, after = TWO.places()
    assert before.tolist() == [0, 1, 2, 0, 1]
    assert after.tolist() == [2, 1, 0, 1, 0]


def test_sums_and_steps_stay_within_a_line():
    points = np.array([[0, 0], [3, 4], [3, 5], [100, 100], [101, 100]], float)
    assert TWO.steps(points).tolist() == [0, 5, 1, 0, 1]
    assert TWO.sums(np.array([1.0, 2, 3, 10, 20])).tolist() == [6, 30]


def test_smoothing_keeps_ends_and_straight_lines():
    lines = Lines(np.array([0, 9, 12]))
    straight = np.stack([np.arange(12), 2 * np.arange(12)], axis=1).astype(float)
    assert lines.smoothed(straight, 3, times=2) == pytest.approx(straight)
    step = np.array([0.0] * 5 + [9] * 4 + [1, 2, 3])
    smooth = lines.smoothed(step, 1)
    assert smooth.tolist() == [0, 0, 0, 0, 3, 6, 9, 9, 9, 1, 2, 3]


def test_twice_smoothed_bends_are_less_flat():
    lines = Lines(np.array([0, 41]))
    bend = (np.arange(41) - 20.0) ** 2
    once, twice = lines.smoothed(bend, 4), lines.twice_smoothed(bend, 4)
    assert abs(twice[20] - bend[20]) < 0.2 * abs(once[20] - bend[20])


def test_resampled_lines_are_even_and_keep_their_ends():
    points = np.array([[0, 0], [1, 0], [10, 0], [0, 5], [0, 7]], float)
    lines, (x, y) = TWO.resampled(points, *points.T, spacing=2.5)
    assert lines.offsets.tolist() == [0, 5, 7]
    assert x.tolist() == [0, 2.5, 5, 7.5, 10, 0, 0]
    assert y.tolist() == [0, 0, 0, 0, 0, 5, 7]


def test_normals_are_perpendicular_to_the_line():
    points = np.stack([np.arange(6.0), np.arange(6.0)], axis=1)
    normals = Lines(np.array([0, 6])).normals(points)
    assert np.abs(normals.sum(axis=1)).max() < 1e-12
    assert np.hypot(*normals.T) == pytest.approx(np.ones(6))


def test_no_lines_at_all():
    none = Lines(np.array([0]))
    assert len(none) == 0
    assert none.smoothed(np.zeros((0, 2)), 2).shape == (0, 2)
    assert none.sums(np.zeros(0)).shape == (0,)
